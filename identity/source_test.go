package identity_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func open(t *testing.T, folder *identity.Folder) *identity.Source {
	t.Helper()
	src, err := identity.NewSource(identity.NewFolder(folder.Dir())) // as another program would
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Two programs in one folder that renew at the same moment, as they do because
// both are told the same one, lose neither each other's changes nor the key
// that belongs to the certificate.
func TestSourcesShareAFolder(t *testing.T) {
	const rounds = 150
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "databaseservice", "one"))
	ca2 := testca.New("production", "a", now) // an authority is for one goroutine
	var wg sync.WaitGroup
	for _, ca := range []*testca.Authority{ca, ca2} {
		src := open(t, folder)
		wg.Go(func() {
			for range rounds {
				renewed := ca.IssueKey(src.Identity().ID(), newKey())
				err := src.Update(func(current *identity.Identity) (*identity.Identity, error) {
					next := *current
					next.Credential = renewed
					next.Document.CA += "x"
					return &next, nil
				})
				if err != nil || src.Volatile() != nil {
					t.Errorf("%v, volatile %v", err, src.Volatile())
				}
				if _, err := identity.NewFolder(folder.Dir()).Load(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	i, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(i.Document.CA, "x"); got != 2*rounds {
		t.Errorf("%d of %d changes are left", got, 2*rounds)
	}
}

// What a program changes does not undo what another has renewed.
func TestSourceKeepsWhatAnotherProgramWrote(t *testing.T) {
	ca, next := testca.New("production", "a", now), testca.New("production", "next", now)
	folder := create(t, stored(ca, "registry", "one"))
	one, two := open(t, folder), open(t, folder)
	renewed := stored(ca, "registry", "one")
	renewed.Document.CA = "https://localhost:1"
	d := ca.BundleDocument(ca.CRL(3))
	d.Roots, d.Handovers = append(d.Roots, next.Root.Raw), append(d.Handovers, ca.Handover(next))
	var err error
	if renewed.Bundle, err = identity.NewBundle(d); err != nil {
		t.Fatal(err)
	}
	if err := one.Replace(renewed); err != nil {
		t.Fatal(err)
	}
	listed := *two.Identity()
	listed.Bundle = ca.Bundle(ca.CRL(9))
	if err := two.Replace(&listed); err != nil {
		t.Fatal(err)
	}
	for name, load := range map[string]func() (*identity.Identity, error){
		"on disk": folder.Load, "in force": func() (*identity.Identity, error) { return two.Identity(), nil },
	} {
		got, err := load()
		if err != nil {
			t.Fatal(err)
		}
		if got.Credential.Thumbprint() != renewed.Credential.Thumbprint() || got.Signing.Thumbprint() != renewed.Signing.Thumbprint() {
			t.Errorf("%s the renewed certificates were replaced by the earlier ones", name)
		}
		if len(got.Bundle.Roots()) != 2 || got.Bundle.CRLs()[0].Number().Int64() != 9 {
			t.Errorf("%s are %d roots and list %s", name, len(got.Bundle.Roots()), got.Bundle.CRLs()[0].Number())
		}
	}
	if err := two.Update(func(current *identity.Identity) (*identity.Identity, error) { return current, nil }); err != nil {
		t.Fatal(err)
	}
	if got := two.Identity().Document.CA; got != listed.Document.CA {
		t.Errorf("the authority is %q, want what was written last", got)
	}
}

// A certificate that could not be written is later than the one on disk: the
// next change writes it.
func TestSourceWritesWhatWasInMemory(t *testing.T) {
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "databaseservice", "one"))
	src := open(t, folder)
	lock := folder.Path(identity.LockFile)
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	renewed := stored(ca, "databaseservice", "one")
	renewed.Credential = ca.IssueKey(renewed.ID(), newKey(), func(c *x509.Certificate) { c.NotBefore = c.NotBefore.Add(time.Second) })
	renewed.Document.CA = "https://localhost:1"
	if err := src.Replace(renewed); err != nil || src.Volatile() == nil || src.Identity() != renewed {
		t.Fatalf("without the lock: %v, volatile %v", err, src.Volatile())
	}
	if got, err := folder.Load(); err != nil || got.Credential.Thumbprint() == renewed.Credential.Thumbprint() {
		t.Fatalf("it was written without the lock: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := src.Update(func(current *identity.Identity) (*identity.Identity, error) { return current, nil }); err != nil || src.Volatile() != nil {
		t.Fatalf("%v, volatile %v", err, src.Volatile())
	}
	if got, err := folder.Load(); err != nil || got.Credential.Thumbprint() != renewed.Credential.Thumbprint() || got.Document.CA != renewed.Document.CA {
		t.Errorf("the certificate was not written: %v", err)
	}
}

// A program that holds the lock for ever, stopped perhaps, is not waited for.
func TestSourceDoesNotWaitForEver(t *testing.T) {
	ca := testca.New("production", "a", now)
	folder := create(t, stored(ca, "databaseservice", "one"))
	held, err := os.Open(folder.Path(identity.LockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		src, next, start := open(t, folder), stored(ca, "databaseservice", "one"), time.Now()
		if err := src.Replace(next); err != nil || src.Volatile() == nil || src.Identity() != next {
			t.Errorf("%v, volatile %v", err, src.Volatile())
		}
		if err := folder.Create(next, true); !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Errorf("a new identity: got %v", err)
		}
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("waited %s for two changes, want 20s", waited)
		}
	})
}

func TestSourceKeepsItsIdentity(t *testing.T) {
	ca, other := testca.New("production", "a", now), testca.New("production", "b", now)
	for name, taken := range map[string]*identity.Identity{
		"another node": stored(ca, "databaseservice", "two"), "another network of the same name": stored(other, "databaseservice", "one"),
	} {
		t.Run(name, func(t *testing.T) {
			folder := create(t, stored(ca, "databaseservice", "one"))
			src := open(t, folder)
			was := src.Identity()
			if err := folder.Create(taken, true); err != nil {
				t.Fatal(err)
			}
			if err := src.Reload(); identity.CodeOf(err) != identity.Binding || src.Identity() != was {
				t.Errorf("a reload: got %v", err)
			}
			next := stored(ca, "databaseservice", "one")
			if err := src.Replace(next); err != nil || src.Identity() != next || identity.CodeOf(src.Volatile()) != identity.Binding {
				t.Errorf("a renewal: got %v, volatile %v", err, src.Volatile())
			}
			if got, err := folder.Load(); err != nil || got.Credential.Thumbprint() != taken.Credential.Thumbprint() {
				t.Errorf("the folder's new identity was overwritten: %v", err)
			}
		})
	}
}

// By force, too, the new identity must be on disk before the old one goes.
func TestFolderCreateKeepsWhatItCannotReplace(t *testing.T) {
	ca := testca.New("production", "a", now)
	first := stored(ca, "databaseservice", "one")
	folder := create(t, first)
	if err := folder.Create(ca.Identity(ca.ID("databaseservice", "two")), true); err == nil { // its key cannot be written
		t.Fatal("a key that has no form on disk was written")
	}
	if got, err := folder.Load(); err != nil || got.Credential.Thumbprint() != first.Credential.Thumbprint() {
		t.Errorf("the identity is gone: %v", err)
	}
	if got, want := modes(t, folder), "bundle.pem 0644, identity.json 0644, identity.lock 0600, node.crt 0644, node.key 0600"; got != want {
		t.Errorf("it holds %s, want %s", got, want)
	}
}

func TestFolderCreateRefusesAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	folder := identity.NewFolder(dir)
	err := folder.Create(stored(testca.New("production", "a", now), "databaseservice", "one"), false)
	if !errors.Is(err, identity.ErrFileMode) || folder.Exists() || !strings.Contains(err.Error(), "has mode 0777, not 0755") {
		t.Errorf("got %v", err)
	}
	if err := identity.CheckTrustedFile(folder.Path("none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: %v", err)
	}
}

func TestCheckTrustedFileRefusesAnotherOwner(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		dir = "/" // root's, which is in order
	} else if err := os.Chown(dir, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if err := identity.CheckTrustedFile(dir); errors.Is(err, identity.ErrFileMode) != (os.Geteuid() == 0) {
		t.Errorf("got %v", err)
	}
}
