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
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// files returns what a folder holds, by name.
func files(t *testing.T, folder *identity.Folder) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder.Dir())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(folder.Path(e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

// A renewal that is cut after any of its writes leaves a folder that loads, and
// that the next renewal can be written to.
func TestFolderSurvivesACutRenewal(t *testing.T) {
	ca := testca.New("production", "a", now)
	first, second := stored(ca, "registry", "one"), stored(ca, "registry", "one")
	before, after := files(t, create(t, first)), files(t, create(t, second))
	// What Save does, one step after the other.
	steps := []func(map[string]string){
		func(m map[string]string) { m[identity.BundleFile] = after[identity.BundleFile] },
		func(m map[string]string) { m[identity.KeyFile+".next"] = after[identity.KeyFile] },
		func(m map[string]string) { m[identity.CertFile] = after[identity.CertFile] },
		func(m map[string]string) {
			m[identity.KeyFile] = m[identity.KeyFile+".next"]
			delete(m, identity.KeyFile+".next")
		},
		func(m map[string]string) { m[identity.SigningKeyFile+".next"] = after[identity.SigningKeyFile] },
		func(m map[string]string) { m[identity.SigningCertFile] = after[identity.SigningCertFile] },
		func(m map[string]string) {
			m[identity.SigningKeyFile] = m[identity.SigningKeyFile+".next"]
			delete(m, identity.SigningKeyFile+".next")
		},
		func(m map[string]string) { m[identity.DocumentFile] = after[identity.DocumentFile] },
	}
	state := maps.Clone(before)
	for n := 0; ; n++ {
		t.Run(fmt.Sprintf("after %d writes", n), func(t *testing.T) {
			folder := put(t, state)
			got, err := folder.Load()
			if err != nil {
				t.Fatal(err)
			}
			for _, cred := range []*identity.Credential{got.Credential, got.Signing} {
				if known := []identity.Hash{first.Credential.Thumbprint(), first.Signing.Thumbprint(), second.Credential.Thumbprint(), second.Signing.Thumbprint()}; !slices.Contains(known, cred.Thumbprint()) {
					t.Errorf("a certificate of neither identity")
				}
			}
			if diff := len(files(t, folder)) - len(state); diff != 0 {
				t.Errorf("loading changed the folder by %d files", diff)
			}
			third := stored(ca, "registry", "one")
			if err := folder.Save(third); err != nil {
				t.Fatal(err)
			}
			if got, err := folder.Load(); err != nil || got.Credential.Thumbprint() != third.Credential.Thumbprint() || got.Signing.Thumbprint() != third.Signing.Thumbprint() {
				t.Errorf("the next renewal is not there: %v", err)
			}
			if left := len(files(t, folder)); left != len(before) {
				t.Errorf("%d files are left, want %d", left, len(before))
			}
		})
		if n == len(steps) {
			return
		}
		steps[n](state)
	}
}

// A renewal after a cut one must not, for one moment, take away the key that
// the certificate needs: it could be cut there too.
func TestFolderLoadsDuringTheRenewalAfterACut(t *testing.T) {
	ca := testca.New("production", "a", now)
	first, second := files(t, create(t, stored(ca, "databaseservice", "one"))), files(t, create(t, stored(ca, "databaseservice", "one")))
	early := maps.Clone(first) // cut when the next key was written
	early[identity.KeyFile+".next"] = second[identity.KeyFile]
	late := maps.Clone(early) // cut when its certificate was, too
	late[identity.CertFile] = second[identity.CertFile]
	for range 10 {
		for _, state := range []map[string]string{early, late} {
			loadWhileSaving(t, put(t, state), stored(ca, "databaseservice", "one"))
		}
	}
}

func loadWhileSaving(t *testing.T, folder *identity.Folder, next *identity.Identity) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- folder.Save(next) }()
	for {
		if _, err := folder.Load(); err != nil {
			t.Error(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

func put(t *testing.T, state map[string]string) *identity.Folder {
	t.Helper()
	folder := identity.NewFolder(t.TempDir())
	for name, text := range state {
		if err := os.WriteFile(folder.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Who loads while another program renews sees the one or the other.
func TestFolderLoadsDuringRenewals(t *testing.T) {
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "databaseservice", "one"))
	var next []*identity.Identity
	for range 20 {
		next = append(next, stored(ca, "databaseservice", "one"))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, i := range next {
			if err := folder.Save(i); err != nil {
				t.Error(err)
			}
		}
	})
	for range 100 {
		if _, err := folder.Load(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestSource(t *testing.T) {
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "databaseservice", "one"))
	src, err := identity.NewSource(folder)
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.NewSource(folder)
	if err != nil {
		t.Fatal(err)
	}
	changed := src.Changed()
	next := stored(ca, "databaseservice", "one")
	if err := src.Replace(next); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told of the change")
	}
	if src.Identity() != next || src.Volatile() != nil || src.Folder() != folder {
		t.Error("the new identity is not in force")
	}
	if err := other.Reload(); err != nil || other.Identity().Credential.Thumbprint() != next.Credential.Thumbprint() {
		t.Errorf("the other program does not see it: %v", err)
	}
	elsewhere := testca.New("production", "b", now)
	for name, bad := range map[string]*identity.Identity{
		"another node": stored(ca, "databaseservice", "two"), "another network of the same name": stored(elsewhere, "databaseservice", "one"),
	} {
		if err := src.Replace(bad); identity.CodeOf(err) != identity.Binding || src.Identity() != next {
			t.Errorf("%s: got %v", name, err)
		}
	}
	bad := *next
	bad.Document.NID = identity.Hash{}
	if err := src.Replace(&bad); identity.CodeOf(err) != identity.WrongNetwork {
		t.Errorf("an identity that does not hold together: %v", err)
	}
	failure := errors.New("no")
	if err := src.Update(func(*identity.Identity) (*identity.Identity, error) { return nil, failure }); !errors.Is(err, failure) || src.Identity() != next {
		t.Errorf("got %v", err)
	}
	if err := os.RemoveAll(folder.Dir()); err != nil {
		t.Fatal(err)
	}
	memory := stored(ca, "databaseservice", "one")
	if err := src.Replace(memory); err != nil || src.Volatile() == nil || src.Identity() != memory {
		t.Errorf("without its folder: %v, volatile %v", err, src.Volatile())
	}
	if err := src.Reload(); !errors.Is(err, identity.ErrNoIdentity) || src.Identity() != memory {
		t.Errorf("reloading nothing: %v", err)
	}
}

func TestSourceUpdatesOneAfterTheOther(t *testing.T) {
	ca := testca.New("production", "a", now)
	src := ca.Source(ca.ID("databaseservice", "one"))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			err := src.Update(func(current *identity.Identity) (*identity.Identity, error) {
				next := *current
				next.Document.CA += "x"
				return &next, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(src.Identity().Document.CA); got != 50 {
		t.Errorf("%d of 50 changes are left", got)
	}
	if err := src.Reload(); err != nil || src.Folder() != nil {
		t.Errorf("a source in memory: %v", err)
	}
	bad := ca.Identity(ca.ID("databaseservice", "one"))
	bad.Document.Network = "development"
	if _, err := identity.NewMemorySource(bad); identity.CodeOf(err) != identity.WrongNetwork {
		t.Errorf("got %v", err)
	}
}

func TestCheckSecretFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := identity.CheckSecretFile(path); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
	if err := os.Symlink(path, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := identity.CheckSecretFile(filepath.Join(dir, "link")); err != nil {
		t.Errorf("a link to it: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := identity.CheckSecretFile(dir); !errors.Is(err, identity.ErrFileMode) {
		t.Errorf("a folder: %v", err)
	}
	if err := identity.CheckSecretFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, text := range []string{"one", "two", ""} {
		if err := identity.ReplaceFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		st, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != text || st.Mode().Perm() != 0o640 {
			t.Errorf("got %q, %v, %v", got, err, st.Mode())
		}
	}
	if err := identity.ReplaceFile(filepath.Join(dir, "none", "file"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := identity.ReplaceFile(filepath.Join(dir, "folder"), nil, 0o600); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
