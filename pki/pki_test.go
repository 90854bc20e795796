package pki_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// A clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A world is an authority that serves on loopback.
type world struct {
	*pki.CA
	dir   string
	addr  string
	clock *clock
	log   *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newWorld makes an authority with the networks named and serves it until the
// test ends.
func newWorld(t *testing.T, networks ...string) *world {
	t.Helper()
	return serveWorld(t, initDir(t, networks...), newClock(), nil)
}

func initDir(t *testing.T, networks ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, Networks: networks, URL: "https://127.0.0.1:8439"}); err != nil {
		t.Fatalf("Init: %v", err)
	}
	return dir
}

func serveWorld(t *testing.T, dir string, c *clock, change func(*pki.Config)) *world {
	t.Helper()
	return serveOn(t, dir, c, listen(t), change)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t *testing.T, dir string, c *clock, l net.Listener, change func(*pki.Config)) *world {
	t.Helper()
	log := &syncBuffer{}
	cfg := pki.Config{
		Dir: dir, URL: "https://" + l.Addr().String(), RenewGrace: pki.DefaultRenewGrace,
		Now: c.Now, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	ca, err := pki.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ca.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := ca.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &world{CA: ca, dir: dir, addr: l.Addr().String(), clock: c, log: log}
}

// A caller speaks to the world in one network, perhaps with a certificate.
type caller struct {
	client *http.Client
	url    string
}

func (w *world) root(t *testing.T, network string) *x509.Certificate {
	t.Helper()
	return readCert(t, filepath.Join(w.dir, "networks", network, "root.crt"))
}

func (w *world) caller(t *testing.T, network string, certs ...tls.Certificate) *caller {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(w.root(t, network))
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, ServerName: "ca." + network + ".netget.internal", MinVersion: tls.VersionTLS13,
		Certificates: certs, Time: w.clock.Now,
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{&http.Client{Transport: transport, Timeout: time.Minute}, "https://" + w.addr}
}

// A reply is a whole HTTP response.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) code(t *testing.T) identity.Code {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type of a refusal = %q", got)
	}
	var p struct {
		Code   identity.Code
		Status int
	}
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("problem document %q: %v", r.body, err)
	}
	if p.Status != r.status {
		t.Errorf("status member = %d, want %d", p.Status, r.status)
	}
	return p.Code
}

func (c *caller) do(t *testing.T, method, path string, body any) reply {
	t.Helper()
	r, err := c.try(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

func (c *caller) try(ctx context.Context, method, path string, body any) (reply, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, content)
	if err != nil {
		return reply{}, err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, text}, err
}

// enrolment is the body of a request to enrol or renew.
type enrolment struct {
	Token      string `json:"token,omitempty"`
	CSR        []byte `json:"csr,omitempty"`
	SigningCSR []byte `json:"signingCsr,omitempty"`
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func csrFor(t *testing.T, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func plainCSR(t *testing.T) []byte {
	t.Helper()
	return csrFor(t, newKey(t), x509.CertificateRequest{})
}

func (w *world) token(t *testing.T, r pki.TokenRequest) pki.Token {
	t.Helper()
	token, err := w.Token(t.Context(), r)
	if err != nil {
		t.Fatalf("Token(%+v): %v", r, err)
	}
	return token
}

// A member is an enrolled node.
type member struct {
	pki.Enrolment
	key, signingKey *ecdsa.PrivateKey
}

func (m member) tls() tls.Certificate {
	return tls.Certificate{Certificate: m.Certificate, PrivateKey: m.key}
}

func (m member) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	return parse(t, m.Certificate[0])
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// enroll takes a node through a token and POST /v1/enroll.
func (w *world) enroll(t *testing.T, r pki.TokenRequest) member {
	t.Helper()
	m := member{key: newKey(t), signingKey: newKey(t)}
	body := enrolment{Token: w.token(t, r).Token, CSR: csrFor(t, m.key, x509.CertificateRequest{})}
	if r.Service == "registry" {
		body.SigningCSR = csrFor(t, m.signingKey, x509.CertificateRequest{})
	}
	got := w.caller(t, r.Network).do(t, "POST", "/v1/enroll", body)
	if got.status != http.StatusCreated {
		t.Fatalf("enrolling %s: %d %s\n%s", r.Service, got.status, got.body, w.log)
	}
	if err := json.Unmarshal(got.body, &m.Enrolment); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantRefusal(t *testing.T, got reply, status int, code identity.Code) {
	t.Helper()
	if got.status != status || got.code(t) != code {
		t.Errorf("got %d %s, want %d %q", got.status, got.body, status, code)
	}
}

func wantCode(t *testing.T, err error, code identity.Code) {
	t.Helper()
	if identity.CodeOf(err) != code {
		t.Errorf("got error %v, want class %q", err, code)
	}
}

func mustContain(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q is not in %q", part, text)
	}
}
