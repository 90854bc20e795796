package pki_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"testing"
	"time"
)

// A claimingListener lets the connections of a test come from where it says.
type claimingListener struct {
	net.Listener
	claim func(i int) string // host:port of the i-th connection, from 0
	next  int                // one goroutine accepts
}

func (l *claimingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from := netip.MustParseAddrPort(l.claim(l.next))
	l.next++
	return &claimingConn{conn, net.TCPAddrFromAddrPort(from)}, nil
}

type claimingConn struct {
	net.Conn
	from net.Addr
}

func (c *claimingConn) RemoteAddr() net.Addr { return c.from }

// silent connects and says nothing.
func (w *world) silent(t *testing.T) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestConnectionsOfOneAddress(t *testing.T) {
	const most, more = 64, 10
	for name, from := range map[string]func(i int) string{
		"an IPv4 address":                 func(int) string { return "192.0.2.1:1" },
		"an IPv6 network of one customer": func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i+1) },
	} {
		t.Run(name, func(t *testing.T) {
			l := &claimingListener{Listener: listen(t), claim: func(i int) string {
				if i == most+more {
					return "192.0.2.2:1"
				}
				return from(i)
			}}
			w := serveOn(t, initDir(t, "development"), newClock(), l, nil)
			var held []net.Conn
			for range most {
				held = append(held, w.silent(t))
			}
			for range more {
				conn := w.silent(t)
				conn.SetReadDeadline(time.Now().Add(2 * time.Second))
				if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("one connection too many: %v, want it closed at once", err)
				}
			}
			if got := w.caller(t, "development").do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
				t.Errorf("somebody else: %d %s", got.status, got.body)
			}
			held[0].Close()
			w.waitForPlace(t)
		})
	}
}

// waitForPlace connects until it is let in.
func (w *world) waitForPlace(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for {
		_, err := w.hello(ctx, "ca."+td)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("a place that is free again is not given away: %v", err)
		}
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "development")
	conn := w.connect(t, "http/1.1")
	io.WriteString(conn, "GET /1.0/health HTTP/1.1\r\nHost: x\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("an idle connection: %v, want its end", err)
	}
}

func (w *world) connect(t *testing.T, protocol string) net.Conn {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, NextProtos: []string{protocol}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The server's first frame are its settings (RFC 9113 section 3.4).
func TestRequestsOnOneConnection(t *testing.T) {
	const setting, want = 3, 16 // SETTINGS_MAX_CONCURRENT_STREAMS
	conn := newWorld(t, "development").connect(t, "h2")
	io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	r := bufio.NewReader(conn)
	var header [9]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		t.Fatal(err)
	}
	settings := make([]byte, int(header[1])<<8|int(header[2]))
	if _, err := io.ReadFull(r, settings); err != nil {
		t.Fatal(err)
	}
	got := uint32(0)
	for ; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == setting {
			got = binary.BigEndian.Uint32(settings[2:])
		}
	}
	if got != want {
		t.Errorf("%d requests at once, want %d", got, want)
	}
}
