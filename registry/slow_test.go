package registry_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// manyNodes lists many records of a service, each about as large as it may be.
func manyNodes(t *testing.T, w *world, service string) {
	t.Helper()
	for i := range 60 {
		registerDirectly(t, w, w.ca.ID(service, fmt.Sprintf("node-%d", i)), padding)
	}
}

// dialTLS makes a connection for HTTP/1.1 out of raw.
func dialTLS(t *testing.T, w *world, raw net.Conn, cred *identity.Credential) *tls.Conn {
	t.Helper()
	c := tls.Client(raw, &tls.Config{ //nolint:forbidigo // the caller that does not behave
		ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{*cred.TLS()},
	})
	t.Cleanup(func() { _ = raw.Close() })
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// unsent returns the bytes that the server keeps for readers.
func unsent(t *testing.T, from *prometheus.Registry) float64 {
	t.Helper()
	return gauge(t, from, "netget_registry_unsent_bytes")
}

// gauge returns the value of a gauge without labels.
func gauge(t *testing.T, from *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// askLarge asks for a large answer over HTTP/1.1.
func askLarge(t *testing.T, w *world, c net.Conn, cred *identity.Credential) {
	t.Helper()
	conn := dialTLS(t, w, c, cred)
	if _, err := io.WriteString(conn, "GET /v1/services/billing HTTP/1.1\r\nHost: "+w.ca.TD.RegistryName()+"\r\n\r\n"); err != nil {
		t.Error(err)
	}
}

// askLargeH2 asks for ten over HTTP/2, of which each stream may send so much at
// once.
func askLargeH2(t *testing.T, w *world, c net.Conn, cred *identity.Credential, window uint32) *h2conn {
	t.Helper()
	h := dialH2(t, w, c, cred, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	for range 10 {
		if err := h.request(http.MethodGet, "/v1/services/billing", false); err != nil {
			t.Error(err)
		}
	}
	return h
}

// trickle reads a byte a second until nothing comes.
func trickle(c io.Reader) {
	for one := make([]byte, 1); ; time.Sleep(time.Second) {
		if _, err := c.Read(one); err != nil {
			return
		}
	}
}

// Who does not read is dropped, whatever the protocol, and keeps nothing alive.
func TestSlowReadersAreDropped(t *testing.T) {
	const wide = 1<<31 - 1
	for name, row := range map[string]struct {
		h2     bool
		window uint32
		read   func(c net.Conn, h *h2conn) // after the question; h is nil over HTTP/1.1
		limit  time.Duration
	}{
		"who reads nothing":                     {false, 0, nil, 10 * time.Second},
		"who reads a byte a second":             {false, 0, func(c net.Conn, _ *h2conn) { trickle(c) }, 10 * time.Second},
		"who reads nothing over HTTP/2":         {true, wide, nil, 10 * time.Second},
		"who reads a byte a second over HTTP/2": {true, wide, func(c net.Conn, _ *h2conn) { trickle(c) }, 10 * time.Second},
		"who never opens the window of HTTP/2":  {true, 0, func(_ net.Conn, h *h2conn) { h.drain() }, 60 * time.Second},
		"who opens the window of HTTP/2 by a byte a second": {true, 0, func(_ net.Conn, h *h2conn) {
			var opening sync.WaitGroup
			defer opening.Wait()
			opening.Go(func() {
				for ; h.WriteWindowUpdate(1, 1) == nil; time.Sleep(time.Second) {
				}
			})
			h.drain()
		}, 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
				servePipe(t, w, l, func(c *registry.Config) { c.Metrics = metrics })
				manyNodes(t, w, "billing")
				slow, cred := l.dial(), w.ca.Issue(w.ca.ID("client", "slow"))
				var reading sync.WaitGroup
				defer reading.Wait()
				defer slow.Close()
				reading.Go(func() {
					var h *h2conn
					if row.h2 {
						h = askLargeH2(t, w, slow, cred, row.window)
					} else {
						askLarge(t, w, slow, cred)
					}
					if row.read != nil {
						row.read(slow, h)
					}
				})
				time.Sleep(4 * time.Second)
				if got := unsent(t, metrics); got < 100<<10 {
					t.Fatalf("%v bytes are being sent: the reader is not slow", got)
				}
				other := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "other")))
				want(t, get(t, "/v1/head", other), http.StatusOK)
				time.Sleep(row.limit - 4*time.Second + time.Second)
				if got := unsent(t, metrics); got != 0 {
					t.Errorf("%v bytes are still being sent after %s", got, row.limit)
				}
			})
		})
	}
}

// What is answered of itself and never read ends the connection too.
func TestHTTP2AnswersThatNobodyReadsEndTheConnection(t *testing.T) {
	for name, send := range map[string]func(*h2conn) error{
		"pings":    func(h *h2conn) error { return h.WritePing(false, [8]byte{}) },
		"settings": func(h *h2conn) error { return h.WriteSettings() },
		"resets":   func(h *h2conn) error { return h.request(http.MethodPost, "/v1/records", true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, l, _ := pipeWorld(t)
				h := dialH2(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "flood")))
				sent := 0
				for ; sent < 20_000 && send(h) == nil; sent++ {
				}
				time.Sleep(11 * time.Second)
				if send(h) == nil {
					t.Errorf("the connection lives after %d", sent)
				}
			})
		})
	}
}

// A body that comes by a byte a second is cut.
func TestSlowBodiesAreCut(t *testing.T) {
	const limit = 15 * time.Second
	t.Run("HTTP/1.1", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, l, _ := pipeWorld(t)
			raw := l.dial()
			c := dialTLS(t, w, raw, w.ca.Issue(w.ca.ID("databaseservice", "db-1")))
			head := "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 1000\r\n\r\n"
			if _, err := io.WriteString(c, head); err != nil {
				t.Fatal(err)
			}
			var sending sync.WaitGroup
			defer sending.Wait()
			defer raw.Close()
			sending.Go(func() {
				for err := error(nil); err == nil; time.Sleep(time.Second) {
					_, err = io.WriteString(c, "a")
				}
			})
			began := time.Now()
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, read(t, res), http.StatusBadRequest, identity.Malformed)
			if took := time.Since(began); took > limit+time.Second {
				t.Errorf("the body was read for %s", took)
			}
		})
	})
	t.Run("HTTP/2", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, l, _ := pipeWorld(t)
			h := dialH2(t, w, l.dial(), w.ca.Issue(w.ca.ID("databaseservice", "db-1")))
			if err := h.request(http.MethodPost, "/v1/records", true, "content-type", "application/jose", "content-length", "1000"); err != nil {
				t.Fatal(err)
			}
			var sending sync.WaitGroup
			defer sending.Wait()
			defer h.raw.Close()
			sending.Go(func() {
				for ; h.WriteData(1, false, []byte("a")) == nil; time.Sleep(time.Second) {
				}
			})
			began := time.Now()
			if got := h.status(1); got != "400" {
				t.Errorf("got %s, want 400", got)
			}
			if took := time.Since(began); took > limit+time.Second {
				t.Errorf("the body was read for %s", took)
			}
		})
	})
}
