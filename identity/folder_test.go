package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func newKey() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// stored returns an identity with keys that can be written.
func stored(ca *testca.Authority, service, node string) *identity.Identity {
	id := ca.ID(service, node)
	i := ca.Identity(id)
	i.Document.CA = "https://localhost:8439"
	i.Credential = ca.IssueKey(id, newKey())
	if i.Signing != nil {
		key := newKey()
		leaf := ca.Template(id)
		leaf.UnknownExtKeyUsage = ca.RegistryIssuer.UnknownExtKeyUsage
		signing, err := identity.NewCredential(key, ca.SignWithRegistryIssuer(leaf, key.Public()), ca.RegistryIssuer)
		if err != nil {
			panic(err)
		}
		i.Signing = signing
	}
	return i
}

func create(t *testing.T, i *identity.Identity) *identity.Folder {
	t.Helper()
	folder := identity.NewFolder(filepath.Join(t.TempDir(), "identity"))
	if err := folder.Create(i, false); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestFolder(t *testing.T) {
	old := syscall.Umask(0) // the modes must not depend on it
	defer syscall.Umask(old)
	ca := testca.New("production", "a", now)
	for service, want := range map[string]string{
		"databaseservice": "bundle.pem 0644, identity.json 0644, identity.lock 0600, node.crt 0644, node.key 0600",
		"registry":        "bundle.pem 0644, identity.json 0644, identity.lock 0600, node.crt 0644, node.key 0600, signing.crt 0644, signing.key 0600",
	} {
		t.Run(service, func(t *testing.T) {
			i := stored(ca, service, "one")
			folder := create(t, i)
			if got := modes(t, folder); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if st, err := os.Stat(folder.Dir()); err != nil || st.Mode().Perm() != 0o700 {
				t.Errorf("the folder has mode %v, %v", st.Mode(), err)
			}
			got, err := folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			if got.ID() != i.ID() || got.Credential.Thumbprint() != i.Credential.Thumbprint() || got.Document.CA != i.Document.CA || got.Bundle.NID() != i.Bundle.NID() {
				t.Errorf("got %+v", got.Document)
			}
			if !folder.Exists() || folder.Path("x") != filepath.Join(folder.Dir(), "x") {
				t.Error("the folder does not know what it holds")
			}
		})
	}
}

func modes(t *testing.T, folder *identity.Folder) string {
	t.Helper()
	entries, err := os.ReadDir(folder.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %04o", e.Name(), info.Mode().Perm()))
	}
	return strings.Join(list, ", ")
}

func TestFolderLoadRefuses(t *testing.T) {
	ca, other := testca.New("production", "a", now), testca.New("production", "b", now)
	put := func(name, text string) func(*testing.T, *identity.Folder) {
		return func(t *testing.T, f *identity.Folder) {
			t.Helper()
			mode := fs.FileMode(0o600)
			if err := os.WriteFile(f.Path(name), []byte(text), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, *identity.Folder) {
		return func(t *testing.T, f *identity.Folder) {
			t.Helper()
			if err := os.Remove(f.Path(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(name string, mode fs.FileMode) func(*testing.T, *identity.Folder) {
		return func(t *testing.T, f *identity.Folder) {
			t.Helper()
			if err := os.Chmod(f.Path(name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	from := func(i *identity.Identity, name string) func(*testing.T, *identity.Folder) {
		return func(t *testing.T, f *identity.Folder) {
			t.Helper()
			text, err := os.ReadFile(create(t, i).Path(name))
			if err != nil {
				t.Fatal(err)
			}
			put(name, string(text))(t, f)
		}
	}
	edit := func(old, with string) func(*testing.T, *identity.Folder) {
		return func(t *testing.T, f *identity.Folder) {
			t.Helper()
			text, err := os.ReadFile(f.Path(identity.DocumentFile))
			if err != nil || !strings.Contains(string(text), old) {
				t.Fatalf("no %s in %s: %v", old, text, err)
			}
			put(identity.DocumentFile, strings.ReplaceAll(string(text), old, with))(t, f)
		}
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	code := func(c identity.Code) func(error) bool {
		return func(err error) bool { return identity.CodeOf(err) == c }
	}
	rows := []struct {
		name    string
		service string
		spoil   func(*testing.T, *identity.Folder)
		want    func(error) bool
	}{
		{"no document", "databaseservice", remove(identity.DocumentFile), is(identity.ErrNoIdentity)},
		{"a key that the group may read", "databaseservice", mode(identity.KeyFile, 0o640), is(identity.ErrFileMode)},
		{"a key that others may read", "databaseservice", mode(identity.KeyFile, 0o604), is(identity.ErrFileMode)},
		{"a key that others may write", "databaseservice", mode(identity.KeyFile, 0o602), is(identity.ErrFileMode)},
		{"a bundle that others may write", "databaseservice", mode(identity.BundleFile, 0o646), is(identity.ErrFileMode)},
		{"a document that the group may write", "databaseservice", mode(identity.DocumentFile, 0o664), is(identity.ErrFileMode)},
		{"a certificate that others may write", "databaseservice", mode(identity.CertFile, 0o666), is(identity.ErrFileMode)},
		{"a signing certificate that the group may write", "registry", mode(identity.SigningCertFile, 0o660), is(identity.ErrFileMode)},
		{"a folder that the group may write", "databaseservice", mode("", 0o770), is(identity.ErrFileMode)},
		{"a folder that others may write", "databaseservice", mode("", 0o777), is(identity.ErrFileMode)},
		{"a signing key that others may read", "registry", mode(identity.SigningKeyFile, 0o644), is(identity.ErrFileMode)},
		{"no key", "databaseservice", remove(identity.KeyFile), is(fs.ErrNotExist)},
		{"no certificate", "databaseservice", remove(identity.CertFile), is(fs.ErrNotExist)},
		{"no bundle", "databaseservice", remove(identity.BundleFile), is(fs.ErrNotExist)},
		{"a registry without signing certificate", "registry", remove(identity.SigningCertFile), is(fs.ErrNotExist)},
		{"a torn document", "databaseservice", put(identity.DocumentFile, `{"id":`), code(identity.Malformed)},
		{"a torn key", "databaseservice", put(identity.KeyFile, "-----BEGIN PRIVATE KEY-----\n"), code(identity.Malformed)},
		{"a key of another kind", "databaseservice", put(identity.KeyFile, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), code(identity.Malformed)},
		{"a key that does not parse", "databaseservice", put(identity.KeyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), code(identity.Malformed)},
		{"a certificate that is none", "databaseservice", put(identity.CertFile, "x"), code(identity.Malformed)},
		{"a leaf without issuer", "databaseservice", put(identity.CertFile, string(identity.EncodeChain(ca.NodeIssuer))), code(identity.Malformed)},
		{"another node's key", "databaseservice", from(stored(ca, "databaseservice", "two"), identity.KeyFile), code(identity.BadCert)},
		{"another node's certificate and key", "databaseservice", func(t *testing.T, f *identity.Folder) {
			t.Helper()
			two := stored(ca, "databaseservice", "two")
			from(two, identity.CertFile)(t, f)
			from(two, identity.KeyFile)(t, f)
		}, code(identity.Binding)},
		{"another registry's signing certificate", "registry", func(t *testing.T, f *identity.Folder) {
			t.Helper()
			two := stored(ca, "registry", "two")
			from(two, identity.SigningCertFile)(t, f)
			from(two, identity.SigningKeyFile)(t, f)
		}, code(identity.Binding)},
		{"another network's bundle", "databaseservice", from(stored(other, "databaseservice", "one"), identity.BundleFile), code(identity.WrongNetwork)},
		{"a torn bundle", "databaseservice", put(identity.BundleFile, "-----BEGIN"), code(identity.Malformed)},
		{"another nid in the document", "databaseservice", edit(identity.NID(ca.Root).String(), identity.NID(other.Root).String()), code(identity.WrongNetwork)},
		{"another network in the document", "databaseservice", edit(`"network": "production"`, `"network": "development"`), code(identity.WrongNetwork)},
		{"another domain in the document", "databaseservice", edit(`"domain": "netget.internal"`, `"domain": "example.org"`), code(identity.WrongNetwork)},
		{"another node in the document", "databaseservice", edit("databaseservice/one", "databaseservice/two"), code(identity.Binding)},
		{"another type in the document", "databaseservice", edit(`"type": "service"`, `"type": "operator"`), code(identity.Malformed)},
		{"an identity of another network in the document", "databaseservice", edit("spiffe://production.", "spiffe://development."), code(identity.WrongNetwork)},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			folder := create(t, stored(ca, row.service, "one"))
			row.spoil(t, folder)
			if _, err := folder.Load(); !row.want(err) {
				t.Errorf("got %v", err)
			}
			if _, err := identity.NewSource(folder); !row.want(err) {
				t.Errorf("a source of it: got %v", err)
			}
		})
	}
}

func TestFolderCreate(t *testing.T) {
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "registry", "one"))
	for _, name := range []string{identity.MarksFile, identity.StateFile, identity.KeyFile + ".next"} {
		if err := os.WriteFile(folder.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := stored(ca, "databaseservice", "two")
	if err := folder.Create(next, false); !errors.Is(err, identity.ErrIdentityExists) {
		t.Errorf("a second identity: got %v", err)
	}
	if err := folder.Create(next, true); err != nil {
		t.Fatal(err)
	}
	if got, want := modes(t, folder), "bundle.pem 0644, identity.json 0644, identity.lock 0600, node.crt 0644, node.key 0600"; got != want {
		t.Errorf("by force it holds %s, want %s", got, want)
	}
	for _, name := range []string{identity.KeyFile, identity.CertFile, identity.DocumentFile} {
		part := identity.NewFolder(t.TempDir())
		if part.Exists() {
			t.Error("an empty folder holds an identity")
		}
		if err := os.WriteFile(part.Path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := part.Create(next, false); !errors.Is(err, identity.ErrIdentityExists) {
			t.Errorf("over a %s: got %v", name, err)
		}
	}
	bad := stored(ca, "databaseservice", "one")
	bad.Document.NID = identity.Hash{1}
	empty := identity.NewFolder(filepath.Join(t.TempDir(), "x"))
	if err := empty.Create(bad, false); identity.CodeOf(err) != identity.WrongNetwork || empty.Exists() {
		t.Errorf("an identity that does not hold together: %v", err)
	}
	bad = stored(ca, "databaseservice", "one")
	bad.Credential = ca.IssueKey(bad.ID(), newKey(), func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} })
	if err := empty.Create(bad, false); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("a certificate that breaks the profile: %v", err)
	}
	bad = stored(ca, "registry", "one")
	bad.Signing = nil
	if err := empty.Create(bad, false); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("a registry without signing certificate: %v", err)
	}
	bad = stored(ca, "registry", "one")
	bad.Credential, bad.Signing = bad.Signing, bad.Credential
	if err := empty.Create(bad, false); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("certificates that changed places: %v", err)
	}
}
