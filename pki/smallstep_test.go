package pki_test

// One test for each defect of smallstep's authority that this package repairs,
// from the wire in.

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testca/forgery"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/pki"
)

// The id of a token was stored before its signature was checked, so anybody
// could fill the store, or use up a token of which only the id is known.
func TestForgedTokensStoreNothing(t *testing.T) {
	dir := initDir(t, "development")
	c := newClock()
	var good forgery.Token
	t.Run("serving", func(t *testing.T) {
		w := serveWorld(t, dir, c, nil)
		good = w.forgerOf(t, "development", pki.TokenRequest{Service: "billing", Node: "b1"})
		forged := good
		forged.Key = newKey(t)
		stranger := w.caller(t, "development")
		for range 50 {
			forged = forged.With(func(c, _ map[string]any) { c["jti"] = rand.Text() })
			got := stranger.do(t, "POST", "/v1/enroll", enrolment{Token: forged.String(), CSR: plainCSR(t)})
			wantRefusal(t, got, 401, identity.BadSignature)
		}
		forged.Claims = good.Claims // the id of the good token
		got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: forged.String(), CSR: plainCSR(t)})
		wantRefusal(t, got, 401, identity.BadSignature)
		if got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: good.String(), CSR: plainCSR(t)}); got.status != http.StatusCreated {
			t.Errorf("the good token after its forgeries: %d %s", got.status, got.body)
		}
	})
	if n := countRows(t, dir, "used_tokens"); n != 1 {
		t.Errorf("%d used tokens stored, want 1", n)
	}
	t.Run("a day later", func(t *testing.T) {
		c.Advance(25 * time.Hour)
		w := serveWorld(t, dir, c, nil)
		got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: good.String(), CSR: plainCSR(t)})
		wantRefusal(t, got, 400, identity.BadTime)
	})
}

// countRows looks into the store of an authority that is closed.
func countRows(t *testing.T, dir, table string) int64 {
	t.Helper()
	db := openDatabase(t, dir)
	defer db.Close()
	var n int64
	err := db.Read(t.Context(), func(q *database.Query) error {
		return q.Get(t.Context(), "SELECT COUNT(*) FROM "+table, nil, &n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func openDatabase(t *testing.T, dir string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{
		URL: database.URL(filepath.Join(dir, "ca.db")), Migrations: migrations.CA,
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// One token gave up to six certificates when it was used by several at once.
func TestOneTokenGivesOneCertificate(t *testing.T) {
	const callers, rounds = 8, 200
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) {
		*c = pki.WithLimits(*c, 0, callers*rounds, 0)
	})
	clients := make([]*caller, callers)
	bodies := make([]enrolment, callers)
	for i := range clients {
		clients[i] = w.caller(t, "development")
		bodies[i] = enrolment{CSR: plainCSR(t)}
	}
	for round := range rounds {
		token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
		won := w.race(t, clients, bodies, token)
		if won != 1 {
			t.Fatalf("round %d: %d certificates for one token", round, won)
		}
	}
	if n := w.countNodes(t); n != rounds {
		t.Errorf("%d certificates stored, want %d", n, rounds)
	}
}

func TestTwoHundredUsesOfOneToken(t *testing.T) {
	const callers = 200
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) {
		*c = pki.WithLimits(*c, callers, callers, 0)
	})
	clients := make([]*caller, callers)
	bodies := make([]enrolment, len(clients))
	for i := range clients {
		clients[i] = w.caller(t, "development")
		bodies[i] = enrolment{CSR: plainCSR(t)}
	}
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"}).Token
	if won := w.race(t, clients, bodies, token); won != 1 {
		t.Errorf("%d certificates for one token", won)
	}
}

// race lets all clients use one token at once and counts who gets a certificate.
func (w *world) race(t *testing.T, clients []*caller, bodies []enrolment, token string) int {
	t.Helper()
	statuses := make([]int, len(clients))
	var group sync.WaitGroup
	for i, c := range clients {
		body := bodies[i]
		body.Token = token
		group.Go(func() {
			got, err := c.try(t.Context(), "POST", "/v1/enroll", body)
			if err != nil {
				t.Error(err)
			}
			statuses[i] = got.status
		})
	}
	group.Wait()
	won := 0
	for _, status := range statuses {
		switch status {
		case http.StatusCreated:
			won++
		case http.StatusForbidden:
		default:
			t.Errorf("status %d", status)
		}
	}
	return won
}

// A certificate of another network was renewed.
func TestCertificateOfAnotherNetworkIsNotRenewed(t *testing.T) {
	w := newWorld(t, "development", "production")
	foreign := w.enroll(t, pki.TokenRequest{Network: "production", Service: "billing", Node: "b1"})
	_, err := w.caller(t, "development", foreign.tls()).try(t.Context(), "POST", "/v1/renew", enrolment{CSR: plainCSR(t)})
	if err == nil {
		t.Error("the handshake with a certificate of another network succeeded")
	}
	if n := w.countNodes(t); n != 0 {
		t.Errorf("%d certificates in development", n)
	}
}

// A certificate unknown to the store was renewed.
func TestUnknownCertificateIsNotRenewed(t *testing.T) {
	w := newWorld(t, "development")
	known := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	stray := w.stray(t, known)
	got := w.caller(t, "development", stray).do(t, "POST", "/v1/renew", enrolment{CSR: plainCSR(t)})
	wantRefusal(t, got, 403, identity.Denied)
	if got := w.caller(t, "development", known.tls()).do(t, "POST", "/v1/renew", enrolment{CSR: plainCSR(t)}); got.status != http.StatusCreated {
		t.Errorf("the known one: %d %s", got.status, got.body)
	}
}

// stray makes a certificate like that of m with the issuer's own key, but
// behind the inventory's back.
func (w *world) stray(t *testing.T, m member) tls.Certificate {
	t.Helper()
	issuerKey := readPKCS8(t, filepath.Join(w.dir, "networks", "development", "node-issuer.key"))
	key, old := newKey(t), m.leaf(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{}, URIs: old.URIs, DNSNames: old.DNSNames,
		NotBefore: old.NotBefore, NotAfter: old.NotAfter, KeyUsage: old.KeyUsage, ExtKeyUsage: old.ExtKeyUsage,
		SubjectKeyId: []byte{1},
	}, parse(t, m.Certificate[1]), key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, m.Certificate[1]}, PrivateKey: key}
}

// /provisioners published the encrypted key of tokens. Of smallstep's routes
// only those named exist.
func TestRoutesThatDoNotExist(t *testing.T) {
	w := newWorld(t, "development")
	c := w.caller(t, "development")
	for _, path := range []string{
		"/provisioners", "/1.0/provisioners", "/1.0/provisioners/x/encrypted-key", "/1.0/federation", "/1.0/intermediates",
		"/1.0/ssh/roots", "/1.0/sign", "/1.0/crl", "/1.0/roots.pem", "/", "/v1", "/metrics", "/admin/provisioners", "/acme/acme/directory",
	} {
		for _, method := range []string{"GET", "POST"} {
			wantRefusal(t, c.do(t, method, path, nil), 404, identity.NotFound)
		}
	}
}

// Tokens of smallstep's own form were accepted: the legacy audience, no end,
// an audience for another port. One key served all networks.
func TestTokensOfPlainForm(t *testing.T) {
	w := newWorld(t, "development", "production")
	good := w.forgerOf(t, "development", pki.TokenRequest{Service: "billing", Node: "b1"})
	c := w.caller(t, "development")
	for name, tt := range map[string]struct {
		change func(c, n map[string]any)
		status int
		code   identity.Code
	}{
		"legacy audience": {func(c, _ map[string]any) { c["aud"] = "https://ca." + td + "/sign" }, 403, identity.Denied},
		"no end":          {func(c, _ map[string]any) { delete(c, "exp") }, 400, identity.Malformed},
		"another port":    {func(c, _ map[string]any) { c["aud"] = "https://127.0.0.1:1" }, 403, identity.Denied},
		"no netget claim": {func(c, _ map[string]any) { delete(c, "netget") }, 403, identity.WrongNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.do(t, "POST", "/v1/enroll", enrolment{Token: good.With(tt.change).String(), CSR: plainCSR(t)})
			wantRefusal(t, got, tt.status, tt.code)
		})
	}
	// The claims of one network under the key of the other.
	crossed := w.forgerOf(t, "production", pki.TokenRequest{Service: "billing", Node: "b1"})
	crossed.Claims = good.Claims
	wantRefusal(t, c.do(t, "POST", "/v1/enroll", enrolment{Token: crossed.String(), CSR: plainCSR(t)}), 403, identity.WrongNetwork)
	crossed.Header = good.Header
	wantRefusal(t, c.do(t, "POST", "/v1/enroll", enrolment{Token: crossed.String(), CSR: plainCSR(t)}), 401, identity.BadSignature)
}

func TestSmallstepRoutes(t *testing.T) {
	w := newWorld(t, "development", "production")
	root := w.root(t, "development")
	c := w.caller(t, "development")
	if got := c.do(t, "GET", "/1.0/health", nil); got.status != 200 || !strings.Contains(string(got.body), "ok") {
		t.Errorf("health: %d %s", got.status, got.body)
	}
	if got := c.do(t, "GET", "/1.0/version", nil); got.status != 200 {
		t.Errorf("version: %d %s", got.status, got.body)
	}
	networks := w.Networks()
	got := c.do(t, "GET", "/1.0/root/"+networks[0].RootSHA256, nil)
	var answer struct{ CA string }
	if err := json.Unmarshal(got.body, &answer); err != nil {
		t.Fatal(err)
	}
	if got.status != 200 || !parsePEM(t, answer.CA).Equal(root) {
		t.Errorf("root: %d %s", got.status, got.body)
	}
	// The other network's root is not here.
	wantRefusal(t, c.do(t, "GET", "/1.0/root/"+networks[1].RootSHA256, nil), 404, identity.NotFound)
	var roots struct{ CRTs []string }
	got = c.do(t, "GET", "/1.0/roots", nil)
	if err := json.Unmarshal(got.body, &roots); err != nil {
		t.Fatal(err)
	}
	if len(roots.CRTs) != 1 || !parsePEM(t, roots.CRTs[0]).Equal(root) {
		t.Errorf("roots: %s", got.body)
	}
}
