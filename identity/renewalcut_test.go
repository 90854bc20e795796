package identity_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

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
