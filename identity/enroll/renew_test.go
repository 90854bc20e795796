package enroll_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/testca"
)

func TestRenew(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "databaseservice", "db-1")
	old := src.Identity()
	f.entries = []identity.RegistryEntry{{Registry: f.ca.ID("registry", "one"), Addresses: []string{"https://127.0.0.1:8438"}}}
	result, err := enroll.Renew(t.Context(), src, fixed)
	if err != nil {
		t.Fatal(err)
	}
	got := src.Identity()
	if result.Identity != got || got.ID() != old.ID() || identity.SPKIHash(got.Credential.Leaf()) == identity.SPKIHash(old.Credential.Leaf()) {
		t.Errorf("the identity in force is %v with the old key", got.ID())
	}
	if len(got.Document.Registries) != 1 || got.Document.CA != f.url || src.Volatile() != nil {
		t.Errorf("got the document %+v, volatile %v", got.Document, src.Volatile())
	}
	if f.requests() != "POST /v1/renew as db-1" {
		t.Errorf("asked %q", f.requests())
	}
	stored, err := src.Folder().Load()
	if err != nil || stored.Credential.Thumbprint() != got.Credential.Thumbprint() {
		t.Errorf("the folder holds another certificate: %v", err)
	}
}

func TestRenewKeepsTheKindOfKey(t *testing.T) {
	f := newFakeCA(t)
	id := f.ca.ID("databaseservice", "db-1")
	i := f.ca.Identity(id)
	i.Credential, i.Document.CA = f.ca.IssueKey(id, testca.EdKey("db-1")), f.url
	src, err := identity.NewMemorySource(i)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Renew(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	if got := src.Identity().Credential.Leaf().PublicKeyAlgorithm; got != x509.Ed25519 {
		t.Errorf("got a key of %s, want Ed25519", got)
	}
}

func TestRenewLeavesAYoungSigningCertificate(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "registry", "one")
	first := src.Identity()
	if _, err := enroll.Renew(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	second := src.Identity()
	if second.Signing != first.Signing || second.Credential == first.Credential {
		t.Errorf("a renewal at the beginning touched the signing certificate, or not the other")
	}
}

func TestRenewRenewsAnOldSigningCertificate(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "registry", "one")
	first := *src.Identity()
	first.Signing = f.ca.IssueSigning(first.ID(), func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = start.Add(-16*24*time.Hour), start.Add(14*24*time.Hour)
	})
	src, err := identity.NewMemorySource(&first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Renew(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	if got := src.Identity().Signing; got == first.Signing || identity.SPKIHash(got.Leaf()) == identity.SPKIHash(first.Signing.Leaf()) {
		t.Error("a signing certificate past half of its life was not renewed")
	}
}

func TestRenewRefuses(t *testing.T) {
	other := testca.New("production", "b", start)
	elsewhere := testca.New("development", "a", start)
	rows := []struct {
		name string
		edit func(f *fakeCA, a *answer, q ask)
		want identity.Code
	}{
		{"a certificate of another node", func(f *fakeCA, a *answer, q ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("databaseservice", "db-2"), publicKey(q.CSR)).Raw
		}, identity.Binding},
		{"the certificate that it has already", func(f *fakeCA, a *answer, _ ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("databaseservice", "db-1"), testca.Key("a").Public()).Raw
		}, identity.BadCert},
		{"a bundle of another nid", func(_ *fakeCA, a *answer, _ ask) { a.BundleDocument = other.BundleDocument() }, identity.WrongNetwork},
		{"a bundle of another network", func(_ *fakeCA, a *answer, _ ask) { a.BundleDocument = elsewhere.BundleDocument() }, identity.WrongNetwork},
		{"a second root without hand-over", func(_ *fakeCA, a *answer, _ ask) { a.Roots = append(a.Roots, other.Root.Raw) }, identity.BadCert},
		{"a bundle without roots", func(_ *fakeCA, a *answer, _ ask) { a.Roots = [][]byte{} }, identity.Limits},
		{"a bundle without issuers", func(_ *fakeCA, a *answer, _ ask) { a.Issuers = [][]byte{} }, identity.Malformed},
		{"null in place of a list", func(_ *fakeCA, a *answer, _ ask) { a.Handovers = nil }, identity.Malformed},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			f := newFakeCA(t)
			src := f.source(t, "databaseservice", "db-1")
			old, before := src.Identity(), contents(t, src.Folder())
			f.edit = func(a *answer, q ask) { row.edit(f, a, q) }
			if _, err := enroll.Renew(t.Context(), src, fixed); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
			if src.Identity() != old || contents(t, src.Folder()) != before {
				t.Error("a refused renewal changed something")
			}
		})
	}
}

func contents(t *testing.T, folder *identity.Folder) string {
	t.Helper()
	entries, err := os.ReadDir(folder.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		text, err := os.ReadFile(folder.Path(e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Name()+": "+string(text))
	}
	return strings.Join(all, "\n")
}

func TestRenewNeedsAnAuthority(t *testing.T) {
	f := newFakeCA(t)
	src := f.ca.Source(f.ca.ID("databaseservice", "db-1"))
	if _, err := enroll.Renew(t.Context(), src, fixed); !errors.Is(err, enroll.ErrNoAuthority) {
		t.Errorf("got %v", err)
	}
	i := *src.Identity()
	i.Document.CA = "http://localhost:1"
	if err := src.Replace(&i); err != nil {
		t.Fatal(err)
	}
	if _, err := enroll.Bundle(t.Context(), src, fixed); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("got %v", err)
	}
}

func TestBundle(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "databaseservice", "db-1")
	before := src.Identity()
	f.crls = [][]byte{f.ca.CRL(7)}
	b, err := enroll.Bundle(t.Context(), src, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.CRLs()) != 1 || src.Identity() != before {
		t.Errorf("got %d lists; the identity changed: %v", len(b.CRLs()), src.Identity() != before)
	}
	if f.requests() != "GET /v1/bundle" {
		t.Errorf("asked %q, want no certificate shown", f.requests())
	}
}

func TestRefresh(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "databaseservice", "db-1")
	cred := src.Identity().Credential
	f.entries = []identity.RegistryEntry{{Registry: f.ca.ID("registry", "one"), Addresses: []string{"https://127.0.0.1:1"}}}
	f.crls = [][]byte{f.ca.CRL(7)}
	if _, err := enroll.Refresh(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCA) { f.crls, f.entries = [][]byte{f.ca.CRL(6)}, nil })
	if _, err := enroll.Refresh(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	got := src.Identity()
	if n := got.Bundle.CRLs()[0].Number(); n.Cmp(big.NewInt(7)) != 0 {
		t.Errorf("an older revocation list, %s, took the place of a newer one", n)
	}
	if len(got.Document.Registries) != 0 || got.Document.Registries == nil || got.Credential != cred {
		t.Errorf("got %+v", got.Document)
	}
}

func TestBundleKeepsEveryRoot(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "databaseservice", "db-1")
	next := testca.New("production", "next", start)
	handover := f.ca.Handover(next)
	f.edit = func(a *answer, _ ask) {
		a.Roots, a.Handovers = append(a.Roots, next.Root.Raw), append(a.Handovers, handover)
	}
	if _, err := enroll.Refresh(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	if n := len(src.Identity().Bundle.Roots()); n != 2 {
		t.Fatalf("got %d roots, want both", n)
	}
	f.set(func(f *fakeCA) { f.edit = nil })
	if _, err := enroll.Refresh(t.Context(), src, fixed); identity.CodeOf(err) != identity.Rollback {
		t.Errorf("got %v, want that the lost root is noticed", err)
	}
}

// Whoever speaks in the authority's name must not make a revocation undone by
// leaving the issuer out.
func TestBundleKeepsIssuersUntilTheyEnd(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "client", "alice")
	victim := f.ca.IssueSigning(f.ca.ID("registry", "one"))
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(5), ThisUpdate: start, NextUpdate: start.Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: victim.Leaf().SerialNumber, RevocationTime: start}},
	}, f.ca.RegistryIssuer, testca.Key("a/registry"))
	if err != nil {
		t.Fatal(err)
	}
	f.crls = [][]byte{list}
	if _, err := enroll.Refresh(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	f.set(func(f *fakeCA) {
		f.edit = func(a *answer, _ ask) { a.Issuers, a.CRLs = [][]byte{f.ca.NodeIssuer.Raw}, [][]byte{} }
	})
	if _, err := enroll.Refresh(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	b := src.Identity().Bundle
	cert, err := b.Verify(victim.Leaf(), victim.Issuer(), identity.SigningUse)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.CheckRevoked(cert); identity.CodeOf(err) != identity.Revoked || len(b.Issuers()) != 2 {
		t.Errorf("the lost issuer's certificate: got %v, %d issuers", err, len(b.Issuers()))
	}
	current := *src.Identity()
	if src, err = identity.NewMemorySource(&current); err != nil {
		t.Fatal(err)
	}
	over := f.ca.RegistryIssuer.NotAfter.Add(identity.ClockSkew + time.Second)
	f.set(func(f *fakeCA) { f.now = func() time.Time { return over } })
	b, err = enroll.Bundle(t.Context(), src, func() time.Time { return over })
	if err == nil && (len(b.Issuers()) != 1 || len(b.CRLs()) != 0) {
		t.Errorf("%d issuers and %d lists are left after the end", len(b.Issuers()), len(b.CRLs()))
	}
	if err != nil {
		t.Error(err)
	}
}

// A connection made before a renewal goes on, one made after it shows the new
// certificate.
func TestRenewDropsNoConnection(t *testing.T) {
	f := newFakeCA(t)
	src := f.source(t, "registry", "one")
	caller := f.ca.Source(f.ca.ID("databaseservice", "db-1"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("here")) }))
	server.TLS = identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return src.Identity().Credential.TLS() },
			Verify: func(state tls.ConnectionState) error {
				_, err := identity.VerifyPeer(state, src.Identity().Bundle, identity.ClientUse, start)
				return err
			},
		}
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	shown := func(client *http.Client) [][]byte {
		t.Helper()
		res, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "here" {
			t.Fatalf("got %q, %v", body, err)
		}
		return [][]byte{res.TLS.PeerCertificates[0].Raw}
	}
	first := client(t, caller)
	before := shown(first)
	if _, err := enroll.Renew(t.Context(), src, fixed); err != nil {
		t.Fatal(err)
	}
	if after := shown(first); !slices.EqualFunc(before, after, bytes.Equal) {
		t.Error("the live connection was made anew")
	}
	if after := shown(client(t, caller)); slices.EqualFunc(before, after, bytes.Equal) {
		t.Error("a new connection shows the old certificate")
	}
}

func client(t *testing.T, src *identity.Source) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: identity.ClientTLS(src, fixed), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
