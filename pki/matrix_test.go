package pki_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// callers are those of the matrix, in the order of its columns.
func callers() []string {
	return []string{
		"nobody", "another network", "another root", "signing", "server only", "leaf alone",
		"over", "over for long", "begins later", "node", "other node", "client", "registry", "operator",
	}
}

// An outcome is what a call comes to: a status with its class, or the class of
// a handshake that fails.
type outcome struct {
	status int
	code   identity.Code
}

// matrix says what every route does for every caller. The registries' own route
// is the only one with a role; renewal is the only one for who is late.
func matrix() map[string][]outcome {
	shut := outcome{0, identity.BadCert}
	made, fine := outcome{http.StatusCreated, ""}, outcome{http.StatusOK, ""}
	cert, role := outcome{http.StatusUnauthorized, identity.BadCert}, outcome{http.StatusForbidden, identity.Denied}
	open := []outcome{fine, shut, shut, shut, shut, shut, cert, cert, cert, fine, fine, fine, fine, fine}
	return map[string][]outcome{
		"POST /v1/enroll":     {made, shut, shut, shut, shut, shut, cert, cert, cert, made, made, made, made, made},
		"POST /v1/renew":      {cert, shut, shut, shut, shut, shut, made, cert, cert, made, made, made, made, made},
		"POST /v1/heads":      {cert, shut, shut, shut, shut, shut, cert, cert, cert, role, role, role, fine, role},
		"GET /v1/bundle":      open,
		"GET /1.0/health":     open,
		"GET /1.0/version":    open,
		"GET /1.0/roots":      {made, shut, shut, shut, shut, shut, cert, cert, cert, made, made, made, made, made}, // smallstep's own status
		"GET /1.0/root/{sha}": open,
	}
}

// A stage is an authority with all callers of the matrix.
type stage struct {
	*world
	handshakes chan string // why they failed
	shown      map[string][]tls.Certificate
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{handshakes: make(chan string, 64)}
	s.world = serveWorld(t, initDir(t, "development", "production"), newClock(), func(c *pki.Config) {
		*c = pki.WithLimits(*c, 1000, 1_000_000, 0)
		c.Logger = slog.New(&handshakeLog{out: s.handshakes})
	})
	member := func(w *world, network, service, node string) member {
		return w.enroll(t, pki.TokenRequest{Network: network, Service: service, Node: node})
	}
	mine := func(service, node string) []tls.Certificate {
		return []tls.Certificate{member(s.world, "development", service, node).tls()}
	}
	long := mine("billing", "gone")
	s.clock.Advance(9 * 24 * time.Hour)
	over := mine("billing", "late")
	s.clock.Advance(25 * time.Hour)
	node, registry := member(s.world, "development", "billing", "b1"), member(s.world, "development", "registry", "r1")
	alone := node.tls()
	alone.Certificate = alone.Certificate[:1]
	s.shown = map[string][]tls.Certificate{
		"nobody":          nil,
		"another network": {member(s.world, "production", "billing", "b1").tls()},
		"another root":    {member(serveWorld(t, initDir(t, "development"), s.clock, nil), "development", "billing", "b1").tls()},
		"signing":         {{Certificate: registry.SigningCertificate, PrivateKey: registry.signingKey}},
		"server only": {s.forge(t, node, func(c *x509.Certificate) {
			c.URIs, c.DNSNames, c.ExtKeyUsage = nil, []string{"ca." + td}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})},
		"leaf alone":    {alone},
		"over":          over,
		"over for long": long,
		"begins later": {s.forge(t, node, func(c *x509.Certificate) {
			c.NotBefore = s.clock.Now().Add(identity.ClockSkew + time.Second)
		})},
		"node": {node.tls()}, "other node": mine("billing", "b2"), "client": mine("client", "c1"),
		"registry": {registry.tls()}, "operator": mine("operator", "o1"),
	}
	return s
}

// forge makes a certificate like that of m with the issuer's own key.
func (w *world) forge(t *testing.T, m member, edit func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, old := newKey(t), m.leaf(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4712), URIs: old.URIs, DNSNames: old.DNSNames, NotBefore: old.NotBefore, NotAfter: old.NotAfter,
		KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage, SubjectKeyId: []byte{1},
	}
	edit(template)
	issuerKey := readPKCS8(t, filepath.Join(w.dir, "networks", "development", "node-issuer.key"))
	der, err := x509.CreateCertificate(rand.Reader, template, parse(t, m.Certificate[1]), key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, m.Certificate[1]}, PrivateKey: key}
}

// A handshakeLog passes on why handshakes failed, which nobody is told who
// failed.
type handshakeLog struct {
	slog.Handler
	out chan<- string
}

func (h *handshakeLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *handshakeLog) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h *handshakeLog) Handle(_ context.Context, r slog.Record) error {
	_, rest, found := strings.Cut(r.Message, "TLS handshake error from ")
	if _, reason, ok := strings.Cut(rest, ": "); found && ok {
		h.out <- reason
	}
	return nil
}

// send makes the good request of a route.
func (s *stage) send(t *testing.T, c *caller, route string) (reply, error) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	var body any
	switch route {
	case "POST /v1/enroll":
		body = enrolment{Token: s.token(t, pki.TokenRequest{Network: "development", Service: "billing"}).Token, CSR: plainCSR(t)}
	case "POST /v1/renew":
		body = enrolment{CSR: plainCSR(t)}
	case "POST /v1/heads":
		body = map[string]any{}
	case "GET /1.0/root/{sha}":
		path = "/1.0/root/" + s.Networks()[0].RootSHA256
	}
	return c.try(t.Context(), method, path, body)
}

// check makes the call and compares what it comes to.
func (s *stage) check(t *testing.T, caller, route string, want outcome) {
	t.Helper()
	before := s.countNodes(t)
	got, err := s.send(t, s.caller(t, "development", s.shown[caller]...), route)
	if want.status == 0 {
		if err == nil {
			t.Fatalf("the handshake succeeded: %d %s", got.status, got.body)
		}
		if reason := <-s.handshakes; !strings.HasPrefix(reason, string(want.code)+":") {
			t.Errorf("the handshake failed for %q, want %s", reason, want.code)
		}
	}
	if want.status != 0 && err != nil {
		t.Fatal(err)
	}
	if want.code != "" && err == nil {
		wantRefusal(t, got, want.status, want.code)
	} else if got.status != want.status {
		t.Errorf("got %d %s, want %d", got.status, got.body, want.status)
	}
	if issued := s.countNodes(t) - before; issued != 0 && want.status != http.StatusCreated {
		t.Errorf("a refused call left %d certificates", issued)
	}
}

func TestEveryRouteForEveryCaller(t *testing.T) {
	s := newStage(t)
	mounted, err := pki.Routes(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for route := range matrix() {
		rows = append(rows, route)
	}
	slices.Sort(mounted)
	slices.Sort(rows)
	if diff := cmp.Diff(mounted, rows); diff != "" {
		t.Fatalf("the matrix has not the rows of the routes that are mounted (-mounted +rows):\n%s", diff)
	}
	for route, row := range matrix() {
		if len(row) != len(callers()) {
			t.Fatalf("%s: %d outcomes for %d callers", route, len(row), len(callers()))
		}
		for i, caller := range callers() {
			t.Run(route+" by "+caller, func(t *testing.T) { s.check(t, caller, route, row[i]) })
		}
	}
}

func TestOtherMethodsOfEveryRoute(t *testing.T) {
	s := newStage(t)
	c := s.caller(t, "development", s.shown["registry"]...)
	for route := range matrix() {
		mounted, path, _ := strings.Cut(strings.Replace(route, "{sha}", s.Networks()[0].RootSHA256, 1), " ")
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "get", "Post"} {
			if method == mounted {
				continue
			}
			got := c.do(t, method, path, nil)
			if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != mounted {
				t.Errorf("%s %s: got %d, Allow %q, want 405 and %s", method, path, got.status, got.header.Get("Allow"), mounted)
			}
			if method != "HEAD" && !json.Valid(got.body) {
				t.Errorf("%s %s: %q is no problem document", method, path, got.body)
			}
		}
	}
}
