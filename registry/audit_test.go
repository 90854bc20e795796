package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/registry"
)

// audited returns the entries of one event.
func (e *entries) audited(t *testing.T, event audit.Event) (list []audit.Entry) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, line := range e.lines {
		var entry audit.Entry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Event == event {
			list = append(list, entry)
		}
	}
	return list
}

// waitFor waits until something is so that must come.
func waitFor(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !isSo(); <-tick.C {
		if time.Since(began) > time.Minute {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// Whoever fails the handshake leaves an entry with address and reason, but all
// strangers together only a few: the next one says how many were left out.
func TestStrangersCannotFillTheAuditLog(t *testing.T) {
	var later atomic.Int64
	at := time.Now()
	w := newWorld(t, "production", func() time.Time { return at.Add(time.Duration(later.Load())) })
	log, ordinary := &entries{}, &entries{}
	s := serve(t, func(c *registry.Config) {
		c.Audit = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Logger = slog.New(slog.NewJSONHandler(ordinary, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, w)
	try := func(sni string) {
		t.Helper()
		res, err := as(t, s, sni, nil).Get("https://registry/v1/head")
		if err == nil {
			_ = res.Body.Close()
			t.Fatal("a stranger was let in")
		}
	}
	const times, most = 60, 30
	refusals := func() int { return ordinary.count("TLS handshake error") }
	for i := range times {
		try("registry.production.netget.internal")
		waitFor(t, "the refusal", func() bool { return refusals() == i+1 })
	}
	got := log.audited(t, audit.HandshakeRefused)
	if len(got) != most {
		t.Fatalf("%d refused handshakes made %d entries, want %d", times, len(got), most)
	}
	for _, e := range got {
		if !strings.HasPrefix(e.Remote, "127.0.0.1:") || e.Code != identity.BadCert || !strings.Contains(e.Reason, "didn't provide a certificate") {
			t.Fatalf("the entry says %+v", e)
		}
	}
	later.Store(int64(20 * time.Second))
	try("registry.staging.netget.internal")
	waitFor(t, "the last refusal", func() bool { return refusals() == times+1 })
	got = log.audited(t, audit.HandshakeRefused)
	if len(got) != most+1 || got[most].LeftOut != times-most || got[most].Code != identity.WrongNetwork {
		t.Errorf("%d entries, the last is %+v", len(got), got[len(got)-1])
	}
}

// What a stranger writes into a certificate does not keep it out of the log.
func TestWordsOfAStrangerDoNotHideItsHandshake(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	log := &entries{}
	s := serve(t, func(c *registry.Config) {
		c.Audit = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, w)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"EOF", "remote error: x", "connection reset by peer", ": broken pipe"} {
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
			URIs:         []*url.URL{{Scheme: "spiffe", Host: "production.netget.internal", Path: "/billing/node-1" + word}},
			SubjectKeyId: []byte{1}, AuthorityKeyId: []byte{1}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		before := len(log.audited(t, audit.HandshakeRefused))
		res, err := as(t, s, "registry.production.netget.internal", &tls.Certificate{Certificate: [][]byte{der, der}, PrivateKey: key}).Get("https://registry/v1/head")
		if err == nil {
			_ = res.Body.Close()
			t.Fatal("a stranger was let in")
		}
		waitFor(t, "an entry about "+word, func() bool { return len(log.audited(t, audit.HandshakeRefused)) == before+1 })
	}
}

// A request that is refused is one entry, also where the catalog refuses it, and
// says who, whence and why.
func TestEveryRefusedRequestIsOneAuditEntry(t *testing.T) {
	w := newWorld(t, "production", frozen())
	log := &entries{}
	s := serve(t, func(c *registry.Config) { c.Audit = slog.New(slog.NewJSONHandler(log, nil)) }, w)
	n := newNode(t, w, s, "client", "c-1")
	refused(t, n.get("/nonsense"), http.StatusNotFound, identity.NotFound)
	got := log.audited(t, audit.RequestRefused)
	if len(got) != 1 || got[0].Actor != n.id.String() || got[0].Network != "production" || got[0].Code != identity.NotFound ||
		!strings.HasPrefix(got[0].Remote, "127.0.0.1:") || !strings.Contains(got[0].Reason, "GET, status 404") {
		t.Errorf("the entries are %+v", got)
	}
	for range 200 {
		n.get("/nonsense")
	}
	if got := log.audited(t, audit.RequestRefused); len(got) != 50 {
		t.Errorf("%d entries, want 50", len(got))
	}
}
