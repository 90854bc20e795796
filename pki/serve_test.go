package pki_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// hello connects with a server name and returns the certificate shown.
func (w *world) hello(ctx context.Context, name string) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", w.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

func TestServerNameChoosesTheNetwork(t *testing.T) {
	one, two := newWorld(t, "development"), newWorld(t, "development", "production")
	for name, tt := range map[string]struct {
		world *world
		sni   string
		want  string // name of the certificate, or "" for a refusal
	}{
		"the authority's name":        {two, "ca.production.netget.internal", "ca.production.netget.internal"},
		"upper case":                  {two, "CA.Production.netget.INTERNAL", "ca.production.netget.internal"},
		"the trust domain":            {two, "production.netget.internal", "ca.production.netget.internal"},
		"another name in it":          {two, "x.y.development.netget.internal", "ca.development.netget.internal"},
		"none, of two networks":       {two, "", ""},
		"an extra of two networks":    {two, "localhost", ""},
		"an unknown network":          {two, "ca.staging.netget.internal", ""},
		"a longer first label":        {two, "xproduction.netget.internal", ""},
		"a name around it":            {two, "production.netget.internal.example.org", ""},
		"none, of the only network":   {one, "", "ca.development.netget.internal"},
		"an extra":                    {one, "localhost", "ca.development.netget.internal"},
		"a name below an extra":       {one, "x.localhost", ""},
		"unknown to the only network": {one, "example.org", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cert, err := tt.world.hello(t.Context(), tt.sni)
			switch {
			case tt.want == "" && (err == nil || !strings.Contains(err.Error(), "unrecognized name")):
				t.Errorf("got %v, want alert unrecognized_name", err)
			case tt.want != "" && err != nil:
				t.Error(err)
			case tt.want != "" && cert.DNSNames[0] != tt.want:
				t.Errorf("got %s, want %s", cert.DNSNames[0], tt.want)
			}
		})
	}
}

func TestHostOfAnotherNetwork(t *testing.T) {
	w := newWorld(t, "development", "production")
	c := w.caller(t, "development")
	for host, want := range map[string]int{
		"":                                   200,
		"ca.development.netget.internal":     200,
		"CA.development.netget.internal:443": 200,
		"localhost:8439":                     200,
		"[::1]:8439":                         200,
		"ca.production.netget.internal":      421,
		"PRODUCTION.netget.internal:1":       421,
		"ca.production.netget.internal.":     421,
		"ca.production.netget.internal.:443": 421,
		"ca.development.netget.internal.":    200,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", c.url+"/v1/bundle", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

// raw sends bytes over TLS and returns the status of the answer.
func (w *world) raw(t *testing.T, text string) *http.Response {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go io.WriteString(conn, text) // the server may stop reading in the middle
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestHTTPLimits(t *testing.T) {
	w := newWorld(t, "development")
	many := strings.Builder{}
	for i := range 100_000 {
		fmt.Fprintf(&many, "X-%d: x\r\n", i)
	}
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"1 MB of headers":                      {"GET /v1/bundle HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431},
		"100,000 headers":                      {"GET /v1/bundle HTTP/1.1\r\nHost: x\r\n" + many.String() + "\r\n", 431},
		"length and transfer encoding at odds": {"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
		"body with length":                     {"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("x", 1<<20), 413},
		"body without length":                  {"POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 100), 413},
		"wrong method":                         {"PUT /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
		"double slash":                         {"GET /v1//bundle HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		"encoded dots":                         {"GET /v1/%2e%2e/v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		"out of the tree":                      {"GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404},
	} {
		t.Run(name, func(t *testing.T) {
			resp := w.raw(t, tt.text)
			defer resp.Body.Close()
			if resp.StatusCode != tt.want {
				t.Errorf("%s, want %d", resp.Status, tt.want)
			}
			if tt.want == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow = %q", resp.Header.Get("Allow"))
			}
		})
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	w := newWorld(t, "development")
	c := w.caller(t, "development")
	for name, body := range map[string]string{
		"empty": "", "no object": "[]", "trailing data": `{"token":"x"} {}`, "duplicate member": `{"token":"x","token":"y"}`,
		"no base64": `{"csr":"*"}`, "another type": `{"token":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/v1/enroll", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			wantRefusal(t, reply{resp.StatusCode, resp.Header, text}, 400, identity.Malformed)
		})
	}
}

func TestOnlyTLS13(t *testing.T) {
	w := newWorld(t, "development")
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}}
	if conn, err := dialer.DialContext(t.Context(), "tcp", w.addr); err == nil {
		conn.Close()
		t.Error("TLS 1.2 was accepted")
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if bytes.Contains(answer, []byte("200 OK")) {
		t.Errorf("plain HTTP was answered: %q", answer)
	}
}

// Identity comes from the connection alone.
func TestHeadersGiveNoIdentity(t *testing.T) {
	w := newWorld(t, "development")
	c := w.caller(t, "development")
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Netget-Identity", "X-Forwarded-Client-Cert"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/v1/renew", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(name, "spiffe://"+td+"/registry/r1")
		resp, err := c.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		wantRefusal(t, reply{resp.StatusCode, resp.Header, text}, 401, identity.BadCert)
	}
}

func TestServerCertificateIsRenewedInProcess(t *testing.T) {
	w := newWorld(t, "development")
	first := serverCertificate(t, w)
	w.clock.Advance(11 * time.Hour)
	if again := serverCertificate(t, w); !again.Equal(first) {
		t.Error("renewed before half of its life")
	}
	w.clock.Advance(2 * time.Hour)
	second := serverCertificate(t, w)
	if second.Equal(first) || second.NotAfter.Sub(w.clock.Now()) != 24*time.Hour {
		t.Errorf("valid until %s", second.NotAfter)
	}
	w.clock.Advance(72 * time.Hour)
	serverCertificate(t, w)
	w.clock.Advance(-72 * time.Hour)
	if third := serverCertificate(t, w); third.NotBefore.After(w.clock.Now()) {
		t.Errorf("after the clock was set back: valid from %s", third.NotBefore)
	}
}

func TestReadyWhileServing(t *testing.T) {
	dir := initDir(t, "development")
	ca, err := pki.Open(t.Context(), pki.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	if err := ca.Ready(t.Context()); err == nil {
		t.Error("ready before it serves")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ca.Serve(ctx, l) }()
	w := &world{CA: ca, dir: dir, addr: l.Addr().String(), clock: newClock()}
	w.caller(t, "development").do(t, "GET", "/v1/bundle", nil)
	if err := ca.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := ca.Ready(t.Context()); err == nil {
		t.Error("ready after it served")
	}
}
