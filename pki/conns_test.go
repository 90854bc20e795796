package pki_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// on returns a client that has one connection.
func on(t *testing.T, c net.Conn, m member) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return c, nil },
		TLSClientConfig: &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, Certificates: []tls.Certificate{m.tls()}},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask makes a request and reads the answer.
func ask(t *testing.T, c *http.Client, method, path string, body io.Reader, length int64) (status int, err error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://ca"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// trickle is a body that never comes to its end.
func trickle() io.Reader {
	bytes := testpipe.Trickle(1000)
	return &bytes
}

// Whatever a caller does with its connection, that ends with its certificate.
func TestConnectionsEndWithTheirCertificates(t *testing.T) {
	const most = 10 * time.Second
	for name, use := range map[string]func(*testing.T, *http.Client, time.Time){
		"silent after a question": func(t *testing.T, c *http.Client, end time.Time) {
			t.Helper()
			time.Sleep(time.Until(end) - time.Second)
			if status, err := ask(t, c, "GET", "/v1/bundle", nil, 0); status != http.StatusOK {
				t.Errorf("in time: %d, %v", status, err)
			}
		},
		"asking every second": func(t *testing.T, c *http.Client, end time.Time) {
			t.Helper()
			for status, err := 0, error(nil); err == nil && status != http.StatusUnauthorized; {
				time.Sleep(time.Second)
				status, err = ask(t, c, "GET", "/v1/bundle", nil, 0)
				if over := time.Since(end); err == nil && (status == http.StatusOK) != (over <= 0) {
					t.Errorf("%s after the end: %d", over, status)
				}
			}
		},
		"in a question without end": func(t *testing.T, c *http.Client, end time.Time) {
			t.Helper()
			time.Sleep(time.Until(end) - time.Second)
			_, _ = ask(t, c, "POST", "/v1/heads", trickle(), 1000)
		},
		"in a question of unknown length": func(t *testing.T, c *http.Client, end time.Time) {
			t.Helper()
			time.Sleep(time.Until(end) - time.Second)
			_, _ = ask(t, c, "POST", "/v1/heads", trickle(), -1)
		},
		"in a renewal without end": func(t *testing.T, c *http.Client, end time.Time) {
			t.Helper()
			time.Sleep(time.Until(end) - time.Second)
			_, _ = ask(t, c, "POST", "/v1/renew", trickle(), 1000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testpipe.Listen()
				dir := filepath.Join(t.TempDir(), "ca")
				if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL, LeafLife: 5 * time.Minute}); err != nil {
					t.Fatal(err)
				}
				w := serveOn(t, dir, newClock(), l, func(c *pki.Config) { c.Now = time.Now })
				m := w.enrollOffline(t, "registry", "r1")
				end := m.leaf(t).NotAfter.Add(identity.ClockSkew)
				time.Sleep(time.Until(end) - 5*time.Second)
				conn := l.Dial()
				use(t, on(t, conn, m), end)
				select {
				case ended := <-conn.Ended():
					if over := ended.Sub(end); over > most {
						t.Errorf("the connection ended %s after the certificate", over)
					}
				case <-time.After(time.Until(end.Add(time.Minute))):
					t.Error("the connection lives on")
				}
				time.Sleep(2 * time.Second) // the caller notices
			})
		})
	}
}

// enrollOffline makes a member without the wire.
func (w *world) enrollOffline(t *testing.T, service, node string) member {
	t.Helper()
	m := member{key: newKey(t)}
	var err error
	if m.Enrolment, err = w.EnrollOffline(t.Context(), "development", service, node, csrFor(t, m.key, x509.CertificateRequest{}), nil); err != nil {
		t.Fatal(err)
	}
	return m
}

// A connection proves nothing for longer than its certificate lives: the next
// request on it is judged anew, refused, and the last.
func TestEachRequestIsJudgedAnew(t *testing.T) {
	w := newWorld(t, "development")
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1"})
	c := w.caller(t, "development", m.tls())
	if got, _, proto := c.traced(t, "GET", "/v1/bundle"); got.status != http.StatusOK || proto != "HTTP/1.1" {
		t.Fatalf("got %d by %s", got.status, proto)
	}
	w.clock.Advance(24*time.Hour + identity.ClockSkew)
	if got, kept, _ := c.traced(t, "GET", "/v1/bundle"); got.status != http.StatusOK || !kept {
		t.Fatalf("in the last second: got %d, on the same connection %t", got.status, kept)
	}
	w.clock.Advance(time.Second)
	got, kept, _ := c.traced(t, "GET", "/v1/bundle")
	wantRefusal(t, got, http.StatusUnauthorized, identity.BadCert)
	if !kept {
		t.Error("the connection had ended before")
	}
	got, kept, _ = c.traced(t, "POST", "/v1/heads")
	wantRefusal(t, got, http.StatusUnauthorized, identity.BadCert)
	if kept {
		t.Error("the connection outlived the refusal")
	}
}

// traced makes a call and tells whether it went by a connection that was there.
func (c *caller) traced(t *testing.T, method, path string) (got reply, kept bool, proto string) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { kept = info.Reused }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), method, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, text}, kept, res.Proto
}
