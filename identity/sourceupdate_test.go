package identity_test

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

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
