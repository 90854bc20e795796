package registry_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// A pipeListener accepts connections in memory, so that their time can be that
// of a test.
type pipeListener struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// dial returns a connection to the listener.
func (l *pipeListener) dial() *watchedConn { return l.dialFrom(nil) }

// dialFrom is [pipeListener.dial] from an address; nil for none.
func (l *pipeListener) dialFrom(addr net.Addr) *watchedConn {
	client, server := net.Pipe()
	if addr != nil {
		server = &addressedConn{server, addr}
	}
	l.incoming <- server
	return &watchedConn{Conn: client, ended: make(chan struct{})}
}

// An addressedConn seems to come from an address.
type addressedConn struct {
	net.Conn
	from net.Addr
}

func (c *addressedConn) RemoteAddr() net.Addr { return c.from }

// A watchedConn tells when the other side has closed it.
type watchedConn struct {
	net.Conn
	ended chan struct{}
	once  sync.Once
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

// ends returns after how long the connection ended, or limit.
func (c *watchedConn) ends(limit time.Duration) time.Duration {
	began := time.Now()
	select {
	case <-c.ended:
	case <-time.After(limit):
	}
	return time.Since(began)
}

// pipeWorld serves a network in memory. Requests of the client go over the
// connection that comes with it.
func pipeWorld(t *testing.T) (w *world, l *pipeListener, stop func()) {
	t.Helper()
	w = newWorld(t, "production", time.Now)
	l = newPipeListener()
	return w, l, servePipe(t, w, l).stop
}

// servePipe serves w in memory; edits may change its configuration.
func servePipe(t *testing.T, w *world, l *pipeListener, edits ...func(*registry.Config)) *served {
	t.Helper()
	cfg := registry.Config{Networks: []registry.Network{{Source: w.source, Catalog: w.catalog}}, Now: w.now}
	for _, edit := range edits {
		edit(&cfg)
	}
	s, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
	return &served{s, "registry", func(context.Context) (net.Conn, error) { return l.dial(), nil }, stop}
}

// over returns a client that has one connection.
func over(t *testing.T, w *world, c net.Conn, cred *identity.Credential) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return c, nil },
		TLSClientConfig: &tls.Config{ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, Certificates: []tls.Certificate{*cred.TLS()}},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestConnectionsEndWithTheirCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		const left = 47 * time.Second
		cred := w.ca.Issue(w.ca.ID("client", "laptop"), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(left - identity.ClockSkew) })
		c := l.dial()
		want(t, get(t, "/v1/head", over(t, w, c, cred)), http.StatusOK)
		if got := c.ends(2 * left); got < left || got > left+10*time.Second {
			t.Errorf("the certificate ended after %s, the connection after %s", left, got)
		}
	})
}

func TestConnectionsEndWithARevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		silent := l.dial()
		want(t, get(t, "/v1/head", over(t, w, silent, cred)), http.StatusOK)
		asking := over(t, w, l.dial(), cred)
		want(t, get(t, "/v1/head", asking), http.StatusOK)
		err := w.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
			next := *current
			next.Bundle = w.ca.Bundle(w.ca.CRL(time.Now().Unix(), cred.Leaf()))
			return &next, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		refused(t, get(t, "/v1/head", asking), http.StatusForbidden, identity.Revoked)
		if got := silent.ends(time.Minute); got > 10*time.Second {
			t.Errorf("the connection ended %s after the revocation", got)
		}
	})
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		silent := make([]*watchedConn, 300)
		for i := range silent {
			silent[i] = l.dial()
			go func() { _, _ = io.Copy(io.Discard, silent[i]) }()
		}
		want(t, get(t, "/v1/head", over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "laptop")))), http.StatusOK)
		for _, c := range silent {
			if got := c.ends(time.Minute); got > 6*time.Second {
				t.Fatalf("a silent connection lived for %s", got)
			}
		}
	})
}

func TestSlowHeadersAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		c := l.dial()
		slow := tls.Client(c, &tls.Config{ //nolint:forbidigo // the caller that does not behave
			ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true,
			Certificates: []tls.Certificate{*w.ca.Issue(w.ca.ID("client", "laptop")).TLS()},
		})
		if err := slow.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		var talking sync.WaitGroup
		defer talking.Wait()
		talking.Go(func() {
			_, _ = io.Copy(io.Discard, slow)
			_, _ = io.Copy(io.Discard, c)
		})
		talking.Go(func() {
			for {
				if _, err := io.WriteString(slow, "G"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		if got := c.ends(time.Minute); got > 6*time.Second {
			t.Errorf("slow headers were read for %s", got)
		}
	})
}

func TestStoppingLetsRequestsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, stop := pipeWorld(t)
		client := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "laptop")))
		got := make(chan reply, 1)
		go func() { got <- get(t, "/v1/head?from=7", client) }() // waits for 2 s
		synctest.Wait()
		stop()
		select {
		case r := <-got:
			refused(t, r, http.StatusServiceUnavailable, identity.Unavailable)
		default:
			t.Error("Serve returned before the request under way was answered")
		}
		time.Sleep(10 * time.Second) // both ends say goodbye at once, and a pipe makes them wait for each other
	})
}

func TestStoppingTakesNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, stop := pipeWorld(t)
		client := over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "laptop")))
		var calling sync.WaitGroup
		defer calling.Wait()
		calling.Go(func() { // a body that never comes to its end
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://registry/v1/records", &endless{})
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = 1000
			req.Header.Set("Content-Type", "application/jose")
			if res, err := client.Do(req); err == nil {
				_ = res.Body.Close()
			}
		})
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

// Each of these connections is idle, and its peer would make the server's goodbye
// wait for 5 s.
func TestStoppingDoesNotWaitForEachPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, stop := pipeWorld(t)
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		for range 8 {
			c := dialTLS(t, w, l.dial(), cred)
			if _, err := io.WriteString(c, "GET /v1/head HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body) // the next end shows
			_ = res.Body.Close()
		}
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("stopping took %s", took)
		}
	})
}

// An endless reader gives a byte a second.
type endless struct{}

func (*endless) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	b[0] = 'a'
	return 1, nil
}

// get asks for a page.
func get(t *testing.T, path string, c *http.Client) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}
