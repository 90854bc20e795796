package ops_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/internal/testpipe"
)

// most connections are open at once.
const most = 256

// start runs an operations port whose metrics are so many, and returns its
// address.
func start(t *testing.T, metrics int) string {
	t.Helper()
	return startReady(t, metrics, func(context.Context) error { return nil })
}

// startReady is [start] with a check of readiness.
func startReady(t *testing.T, metrics int, check func(context.Context) error) string {
	t.Helper()
	s, err := ops.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, metrics, check)
	return strings.TrimPrefix(s.URL(), "http://")
}

// run runs a server until the test ends.
func run(t *testing.T, s *ops.Server, metrics int, check func(context.Context) error) {
	t.Helper()
	shown := prometheus.NewRegistry()
	for i := range metrics {
		shown.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: fmt.Sprintf("m_%d", i), Help: strings.Repeat("h", 1000)}))
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, ops.Ready(check), shown) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// dial connects, for as long as the test.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// status asks for a page on a connection.
func status(c net.Conn, path string) (int, error) {
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

func TestConnectionsOfTheOperationsPortAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testpipe.Listen()
		run(t, ops.On(l), 0, func(context.Context) error { return nil })
		began, oldest := time.Now(), l.Dial()
		for i := range most {
			synctest.Wait()
			select {
			case <-oldest.Ended():
				t.Fatalf("the oldest of %d connections was closed", i+1)
			default:
			}
			if _, err := status(l.Dial(), "/livez"); err != nil {
				t.Fatal(err)
			}
		}
		if took := (<-oldest.Ended()).Sub(began); took != 0 {
			t.Errorf("the oldest of too many connections was closed after %s, want at once", took)
		}
		time.Sleep(time.Minute) // all others have their time
	})
}

// Whatever any user of the machine keeps open, who watches over it is answered.
func TestIdleConnectionsKeepNoProbeOut(t *testing.T) {
	for name, begin := range map[string]string{
		"silent ones":        "",
		"ones in a header":   "GET /livez HTTP/1.1\r\nX-Slow: ",
		"ones with a reply":  "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
		"ones that go on so": strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			addr := start(t, 200)
			for range 2 * most {
				c := dial(t, addr)
				if _, err := io.WriteString(c, begin); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range []string{"/livez", "/readyz", "/livez", "/readyz"} {
				if got, err := status(dial(t, addr), path); got != http.StatusOK || err != nil {
					t.Errorf("%s: %d, %v", path, got, err)
				}
			}
		})
	}
}

// A connection that is being answered is not given away, though others come.
func TestConnectionsBeingAnsweredAreKept(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	addr := startReady(t, 0, func(context.Context) error {
		close(asked)
		<-goOn
		return nil
	})
	c := dial(t, addr)
	got := make(chan int, 1)
	go func() {
		code, _ := status(c, "/readyz") // 0 if it failed
		got <- code
	}()
	<-asked
	for range 2 * most {
		dial(t, addr)
	}
	if code, err := status(dial(t, addr), "/livez"); code != http.StatusOK {
		t.Errorf("/livez: %d, %v", code, err)
	}
	close(goOn)
	if code := <-got; code != http.StatusOK {
		t.Errorf("the answer that was under way: %d, want 200", code)
	}
}

// Who asks for metrics and reads nothing keeps nobody from being answered.
func TestStuckScrapersPinNothing(t *testing.T) {
	addr := start(t, 5000) // more than a connection buffers
	var stuck []net.Conn
	for range 20 {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, c)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if got, err := status(dial(t, addr), path); got != http.StatusOK || err != nil {
			t.Errorf("%s: %d, %v", path, got, err)
		}
	}
	busy := 0
	for _, c := range stuck {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute)) // the server's end comes earlier
		head := make([]byte, len("HTTP/1.1 503"))
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatal(err)
		}
		if string(head) == "HTTP/1.1 503" {
			busy++
		}
	}
	if busy < len(stuck)-8 {
		t.Errorf("%d of %d answers about metrics are under way, want at most 8", len(stuck)-busy, len(stuck))
	}
}
