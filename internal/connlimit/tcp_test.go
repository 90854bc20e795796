package connlimit_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/connlimit"
)

// overTCP returns both ends of a real connection whose server has so much
// patience.
func overTCP(t *testing.T, patience time.Duration) (client, server net.Conn) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = connlimit.New(roomy()).WithPatience(patience).Listener(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
	})
	if tcp, ok := client.(*net.TCPConn); !ok || tcp.SetReadBuffer(64<<10) != nil {
		t.Fatal("the client's buffer cannot be bounded")
	}
	return client, server
}

// write writes records for a while, or until one fails.
func write(c net.Conn, d time.Duration) error {
	record := make([]byte, 16<<10)
	for end := time.Now().Add(d); time.Now().Before(end); {
		if _, err := c.Write(record); err != nil {
			return err
		}
	}
	return nil
}

// Real connections have buffers, and a write that waits for one goes on only
// when a good part of it is free. Here all is a little faster than by default: who
// reads 100 KiB a second within 6 s is who reads 60 KiB a second within 10 s.
func TestSlowReadersOverTCPAreServedWhileTheyRead(t *testing.T) {
	t.Parallel()
	const patience = 6 * time.Second
	client, server := overTCP(t, patience)
	go func() {
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for some := make([]byte, 4<<10); ; <-tick.C {
			if _, err := io.ReadFull(client, some); err != nil {
				return
			}
		}
	}()
	if err := write(server, 2*patience); err != nil {
		t.Errorf("who reads slowly was cut: %v", err)
	}
}

func TestWhoDoesNotReadOverTCPIsCut(t *testing.T) {
	t.Parallel()
	const patience = time.Second
	_, server := overTCP(t, patience)
	began := time.Now()
	if err := write(server, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("writes that nobody reads: %v, want the deadline", err)
	}
	if took := time.Since(began); took < patience/2 || took > 30*time.Second { // exactly when, a bubble tells: conn_test.go
		t.Errorf("writes that nobody reads were given up after %s", took)
	}
}
