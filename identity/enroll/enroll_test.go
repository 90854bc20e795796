package enroll_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/testca"
)

func TestEnroll(t *testing.T) {
	for _, service := range []string{"databaseservice", "client", "operator", "registry"} {
		t.Run(service, func(t *testing.T) {
			f := newFakeCA(t)
			mark := &identity.RegistryMark{Version: 7, Root: identity.Hash{1}, Log: identity.Hash{2}, Made: 5}
			f.entries = []identity.RegistryEntry{{Registry: f.ca.ID("registry", "one"), Addresses: []string{"https://127.0.0.1:8438"}, Mark: mark}}
			id := f.ca.ID(service, "n-1")
			folder := identity.NewFolder(filepath.Join(t.TempDir(), "new", "identity"))
			result, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, id), Folder: folder, Now: fixed})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(f.entries, result.Registries, cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); diff != "" {
				t.Errorf("the registries differ: %s", diff)
			}
			got, err := folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			d := got.Document
			if d.ID != id || d.CA != f.url || d.NID != identity.NID(f.ca.Root) || d.Type != id.Type().String() ||
				len(d.Registries) != 1 || d.Registries[0].Addresses[0] != "https://127.0.0.1:8438" {
				t.Errorf("got the document %+v", d)
			}
			if (got.Signing != nil) != (service == "registry") {
				t.Errorf("a %s has the signing certificate %v", service, got.Signing)
			}
			want := "GET /1.0/root/" + tokenRoot(f) + "\nPOST /v1/enroll token"
			if f.requests() != want {
				t.Errorf("asked %q, want %q", f.requests(), want)
			}
		})
	}
}

func tokenRoot(f *fakeCA) string { return f.tokenClaims(f.ca.ID("a", "b"))["sha"].(string) }

func TestEnrollMakesEd25519Keys(t *testing.T) {
	f := newFakeCA(t)
	folder := identity.NewFolder(t.TempDir())
	result, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, f.ca.ID("registry", "one")), Folder: folder, Ed25519: true, Now: fixed})
	if err != nil {
		t.Fatal(err)
	}
	for _, cred := range []*identity.Credential{result.Identity.Credential, result.Identity.Signing} {
		if _, ok := cred.Leaf().PublicKey.(ed25519.PublicKey); !ok {
			t.Errorf("got a key of %T", cred.Leaf().PublicKey)
		}
	}
}

func TestEnrollRefusesBeforeAnythingIsSent(t *testing.T) {
	f := newFakeCA(t)
	id := f.ca.ID("databaseservice", "db-1")
	held := identity.NewFolder(t.TempDir())
	if err := held.Create(f.identity(id), false); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o770); err != nil {
		t.Fatal(err)
	}
	late := func() time.Time { return start.Add(10 * time.Minute) }
	rows := []struct {
		name string
		cfg  enroll.Config
		want func(error) bool
	}{
		{"an expired token", enroll.Config{Folder: identity.NewFolder(t.TempDir()), Now: late}, func(err error) bool {
			return errors.Is(err, enroll.ErrTokenExpired) && identity.CodeOf(err) == identity.BadTime
		}},
		{"a folder that holds an identity", enroll.Config{Folder: held, Now: fixed}, func(err error) bool {
			return errors.Is(err, identity.ErrIdentityExists)
		}},
		{"a folder that cannot be made", enroll.Config{Folder: identity.NewFolder(filepath.Join(blocked, "x")), Now: fixed}, func(err error) bool {
			_, ok := errors.AsType[*fs.PathError](err)
			return ok
		}},
		{"a folder that the group may write", enroll.Config{Folder: identity.NewFolder(shared), Now: fixed}, func(err error) bool {
			return errors.Is(err, identity.ErrFileMode)
		}},
		{"no folder", enroll.Config{Now: fixed}, func(err error) bool { return identity.CodeOf(err) == identity.Malformed }},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			row.cfg.Token = f.token(t, id)
			if _, err := enroll.Enroll(t.Context(), row.cfg); !row.want(err) {
				t.Errorf("got %v", err)
			}
			if f.requests() != "" {
				t.Errorf("asked %q", f.requests())
			}
		})
	}
}

func TestEnrollReplacesByForce(t *testing.T) {
	f := newFakeCA(t)
	folder := identity.NewFolder(t.TempDir())
	if err := folder.Create(f.identity(f.ca.ID("databaseservice", "db-1")), false); err != nil {
		t.Fatal(err)
	}
	f.refuse = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	cfg := enroll.Config{Token: f.token(t, f.ca.ID("billing", "b-1")), Folder: folder, Force: true, Now: fixed}
	if _, err := enroll.Enroll(t.Context(), cfg); err == nil {
		t.Fatal("enrolled without an authority")
	}
	if kept, err := folder.Load(); err != nil || kept.ID().Label() != "db-1" {
		t.Fatalf("a failure cost the identity: %v", err)
	}
	f.set(func(f *fakeCA) { f.refuse = nil })
	if _, err := enroll.Enroll(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got, err := folder.Load(); err != nil || got.ID().Label() != "b-1" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEnrollNeverShowsTheTokenToAStranger(t *testing.T) {
	rows := []struct {
		name  string
		spoil func(*fakeCA, *testca.Authority)
	}{
		{"the root is another one", func(f *fakeCA, stranger *testca.Authority) { f.root = stranger.Root }},
		{"the server is of another root", func(f *fakeCA, stranger *testca.Authority) { f.shown = stranger }},
		{"both are of another root", func(f *fakeCA, stranger *testca.Authority) { f.root, f.shown = stranger.Root, stranger }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := newFakeCA(t)
			row.spoil(f, testca.New("production", "stranger", start))
			folder := identity.NewFolder(t.TempDir())
			_, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, f.ca.ID("databaseservice", "db-1")), Folder: folder, Now: fixed})
			if identity.CodeOf(err) != identity.BadCert {
				t.Errorf("got %v, want %s", err, identity.BadCert)
			}
			if strings.Contains(f.requests(), "token") || folder.Exists() {
				t.Errorf("asked %q, the folder exists: %v", f.requests(), folder.Exists())
			}
		})
	}
}

func TestEnrollWritesNothingOfAWrongReply(t *testing.T) {
	other := testca.New("production", "b", start)
	elsewhere := testca.New("development", "a", start)
	rows := []struct {
		name string
		edit func(f *fakeCA, a *answer, q ask)
		want identity.Code
	}{
		{"a certificate of another node", func(f *fakeCA, a *answer, q ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("registry", "two"), publicKey(q.CSR)).Raw
		}, identity.Binding},
		{"a certificate for another key", func(f *fakeCA, a *answer, _ ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("registry", "one"), testca.Key("other").Public()).Raw
		}, identity.BadCert},
		{"a signing certificate for another key", func(f *fakeCA, a *answer, q ask) {
			a.SigningCertificate = f.signing(f.ca.ID("registry", "one"), q.CSR)
		}, identity.BadCert},
		{"a signing certificate of another registry", func(f *fakeCA, a *answer, q ask) {
			a.SigningCertificate = f.signing(f.ca.ID("registry", "two"), q.SigningCSR)
		}, identity.Binding},
		{"no signing certificate", func(_ *fakeCA, a *answer, _ ask) { a.SigningCertificate = nil }, identity.BadCert},
		{"no certificate", func(_ *fakeCA, a *answer, _ ask) { a.Certificate = [][]byte{} }, identity.BadCert},
		{"a certificate without its issuer", func(_ *fakeCA, a *answer, _ ask) { a.Certificate = a.Certificate[:1] }, identity.BadCert},
		{"a certificate that breaks the profile", func(f *fakeCA, a *answer, q ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("registry", "one"), publicKey(q.CSR), func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} }).Raw
		}, identity.BadCert},
		{"a certificate of tomorrow", func(f *fakeCA, a *answer, q ask) {
			a.Certificate[0] = f.ca.Leaf(f.ca.ID("registry", "one"), publicKey(q.CSR), func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = start.Add(24*time.Hour), start.Add(48*time.Hour)
			}).Raw
		}, identity.BadTime},
		{"a revoked certificate", func(f *fakeCA, a *answer, _ ask) {
			leaf, _ := x509.ParseCertificate(a.Certificate[0])
			a.CRLs = [][]byte{f.ca.CRL(1, leaf)}
		}, identity.Revoked},
		{"another network", func(_ *fakeCA, a *answer, _ ask) { a.Network = "development" }, identity.WrongNetwork},
		{"another network's bundle", func(_ *fakeCA, a *answer, _ ask) { a.BundleDocument = elsewhere.BundleDocument() }, identity.WrongNetwork},
		{"a bundle of the same name and another root", func(_ *fakeCA, a *answer, _ ask) { a.BundleDocument = other.BundleDocument() }, identity.WrongNetwork},
		{"another nid", func(_ *fakeCA, a *answer, _ ask) { a.NID = identity.NID(other.Root) }, identity.WrongNetwork},
		{"a second root without hand-over", func(_ *fakeCA, a *answer, _ ask) { a.Roots = append(a.Roots, other.Root.Raw) }, identity.BadCert},
		{"another first root that hands over to the token's", func(f *fakeCA, a *answer, _ ask) {
			a.Roots, a.Handovers = [][]byte{other.Root.Raw, f.ca.Root.Raw}, [][]byte{other.Handover(f.ca)}
			a.Issuers = append(a.Issuers, other.RegistryIssuer.Raw)
			a.NID = identity.NID(other.Root)
		}, identity.WrongNetwork},
		{"a bundle without issuers", func(_ *fakeCA, a *answer, _ ask) { a.Issuers = [][]byte{} }, identity.Malformed},
		{"null in place of a list", func(_ *fakeCA, a *answer, _ ask) { a.CRLs = nil }, identity.Malformed},
		{"a registry of another network", func(_ *fakeCA, a *answer, _ ask) {
			a.Registries = []identity.RegistryEntry{{Registry: elsewhere.ID("registry", "one"), Addresses: []string{"https://a:1"}}}
		}, identity.WrongNetwork},
		{"a registry at no URL", func(f *fakeCA, a *answer, _ ask) {
			a.Registries = []identity.RegistryEntry{{Registry: f.ca.ID("registry", "one"), Addresses: []string{"file:///etc"}}}
		}, identity.Malformed},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			f := newFakeCA(t)
			f.edit = func(a *answer, q ask) { row.edit(f, a, q) }
			dir := filepath.Join(t.TempDir(), "identity")
			_, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, f.ca.ID("registry", "one")), Folder: identity.NewFolder(dir), Now: fixed})
			if identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
			if files, _ := os.ReadDir(dir); len(files) != 0 {
				t.Errorf("it wrote %v", files)
			}
		})
	}
}

func TestEnrollTellsWhatTheAuthorityRefused(t *testing.T) {
	problem := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	rows := []struct {
		name   string
		refuse http.HandlerFunc
		status int
		code   identity.Code
		retry  time.Duration
	}{
		{"a problem document", problem(403, `{"code":"denied","detail":"no"}`), 403, identity.Denied, 7 * time.Second},
		{"a page without class", problem(503, `<html>`), 503, identity.Unavailable, 7 * time.Second},
		{"an unknown root", problem(404, ``), 404, identity.NotFound, 7 * time.Second},
		{"another success", problem(202, `{}`), 202, identity.Malformed, 7 * time.Second},
		{"a redirect, which is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.org/", http.StatusFound)
		}, 302, identity.Malformed, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := newFakeCA(t)
			f.refuse = row.refuse
			_, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, f.ca.ID("databaseservice", "db-1")), Folder: identity.NewFolder(t.TempDir()), Now: fixed})
			got, ok := errors.AsType[*identity.ProblemError](err)
			if !ok || got.Status != row.status || got.Code != row.code || got.RetryAfter != row.retry {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Only an authority that has proved itself may send more than 64 KiB.
func TestEnrollBoundsTheReply(t *testing.T) {
	write := func(status, size int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(strings.Repeat(" ", size)))
		}
	}
	renew := func(t *testing.T, f *fakeCA) error {
		t.Helper()
		_, err := enroll.Renew(t.Context(), f.source(t, "databaseservice", "db-1"), fixed)
		return err
	}
	join := func(t *testing.T, f *fakeCA) error {
		t.Helper()
		_, err := enroll.Enroll(t.Context(), enroll.Config{Token: f.token(t, f.ca.ID("databaseservice", "db-1")), Folder: identity.NewFolder(t.TempDir()), Now: fixed})
		return err
	}
	rows := []struct {
		name   string
		call   func(*testing.T, *fakeCA) error
		answer http.HandlerFunc
		want   identity.Code
	}{
		{"a root of more than 64 KiB", join, write(http.StatusOK, 64<<10+1), identity.Limits},
		{"a problem of more than 64 KiB", renew, write(http.StatusForbidden, 64<<10+1), identity.Limits},
		{"a problem of 64 KiB", renew, write(http.StatusForbidden, 64<<10), identity.Denied},
		{"a reply of more than 64 KiB", renew, write(http.StatusCreated, 1<<20), identity.Malformed},
		{"a reply of more than 32 MiB", renew, write(http.StatusCreated, 32<<20+1), identity.Limits},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f := newFakeCA(t)
			f.refuse = row.answer
			if err := row.call(t, f); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestEnrollWithoutAnAuthority(t *testing.T) {
	f := newFakeCA(t)
	claims := f.tokenClaims(f.ca.ID("databaseservice", "db-1"))
	claims["aud"] = closedPort(t)
	token, err := enroll.ParseToken(tokenText(claims))
	if err != nil {
		t.Fatal(err)
	}
	_, err = enroll.Enroll(t.Context(), enroll.Config{Token: token, Folder: identity.NewFolder(t.TempDir()), Now: fixed})
	if err == nil || identity.CodeOf(err) != "" {
		t.Errorf("got %v, want a failure of the network", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = enroll.Enroll(ctx, enroll.Config{Token: f.token(t, f.ca.ID("databaseservice", "db-1")), Folder: identity.NewFolder(t.TempDir()), Now: fixed}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
