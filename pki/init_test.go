package pki_test

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

const publicURL = "https://127.0.0.1:8439"

// files returns the hash of every file below dir, and the modes.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = info.Mode().String()
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(text)
			found[name] += " " + string(sum[:8])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInitLayout(t *testing.T) {
	dir := initDir(t, "development")
	for name, text := range files(t, dir) {
		mode, _, _ := strings.Cut(text, " ")
		want := "-rw-------"
		switch {
		case strings.HasSuffix(name, ".crt"):
			want = "-rw-r--r--"
		case filepath.Ext(name) == "" || name == ".":
			want = "drwx------"
		}
		if mode != want {
			t.Errorf("%s has mode %s, want %s", name, mode, want)
		}
	}
	for _, name := range []string{"root.key", "root.crt", "node-issuer.key", "node-issuer.crt", "registry-issuer.key", "registry-issuer.crt", "token.key"} {
		if _, err := os.Stat(filepath.Join(dir, "networks", "development", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestSecondInitTouchesNothing(t *testing.T) {
	dir := initDir(t, "development")
	before := files(t, filepath.Dir(dir))
	_, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, Networks: []string{"production"}, URL: publicURL})
	if !errors.Is(err, pki.ErrInitialised) {
		t.Errorf("got %v, want ErrInitialised", err)
	}
	if diff := cmp.Diff(before, files(t, filepath.Dir(dir))); diff != "" {
		t.Errorf("the home changed:\n%s", diff)
	}
}

func TestInitsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL})
		})
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, pki.ErrInitialised) && !errors.Is(err, pki.ErrLocked):
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d authorities were made", made)
	}
	openAndClose(t, pki.Config{Dir: dir})
}

func openAndClose(t *testing.T, cfg pki.Config) {
	t.Helper()
	ca, err := pki.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Close(); err != nil {
		t.Error(err)
	}
}

func TestInitsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*pki.InitConfig){
		"a bad network":          func(c *pki.InitConfig) { c.Networks = []string{"Development"} },
		"a network twice":        func(c *pki.InitConfig) { c.Networks = []string{"a", "b", "a"} },
		"a bad domain":           func(c *pki.InitConfig) { c.Domain = "-" },
		"no URL":                 func(c *pki.InitConfig) { c.URL = "" },
		"a URL without port":     func(c *pki.InitConfig) { c.URL = "https://127.0.0.1" },
		"a URL with a path":      func(c *pki.InitConfig) { c.URL = "https://127.0.0.1:1/" },
		"plain HTTP":             func(c *pki.InitConfig) { c.URL = "http://127.0.0.1:1" },
		"a life that is short":   func(c *pki.InitConfig) { c.LeafLife = 5*time.Minute - time.Second },
		"a life that is long":    func(c *pki.InitConfig) { c.LeafLife = 7*24*time.Hour + time.Second },
		"an extra that is above": func(c *pki.InitConfig) { c.Extras = pki.Extras{DNS: []string{"internal"}} },
		"an extra in a sibling": func(c *pki.InitConfig) {
			c.Networks = []string{"a", "b"}
			c.Extras = pki.Extras{DNS: []string{"x.b.netget.internal"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			cfg := pki.InitConfig{Dir: filepath.Join(parent, "ca"), URL: publicURL}
			change(&cfg)
			if _, err := pki.Init(t.Context(), cfg); identity.CodeOf(err) == "" {
				t.Errorf("got %v, want a refusal", err)
			}
			if left := files(t, parent); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A folder with something else in it is not taken over, and an init that
// fails on the way leaves nothing.
func TestInitLeavesNothingHalfDone(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "ca")
	if err := os.MkdirAll(filepath.Join(dir, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := files(t, parent)
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err == nil {
		t.Error("a folder that was not empty was taken over")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the inventory, made last, fails
	other := filepath.Join(parent, "other")
	if _, err := pki.Init(ctx, pki.InitConfig{Dir: other, URL: publicURL}); err == nil {
		t.Error("Init succeeded without its inventory")
	}
	if diff := cmp.Diff(before, files(t, parent)); diff != "" {
		t.Errorf("the home changed:\n%s", diff)
	}
	// What a killed init left is no obstacle, and is removed.
	if err := os.MkdirAll(filepath.Join(parent, ".netget-ca-123", "networks"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: other, URL: publicURL}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(parent, ".netget-ca-123")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was half-built is still there: %v", err)
	}
}

func TestOpenThatIsRefused(t *testing.T) {
	if _, err := pki.Open(t.Context(), pki.Config{Dir: t.TempDir()}); !errors.Is(err, pki.ErrNotInitialised) {
		t.Errorf("an empty folder: %v", err)
	}
	dir := initDir(t, "development")
	ca, err := pki.Open(t.Context(), pki.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Open(t.Context(), pki.Config{Dir: dir}); !errors.Is(err, pki.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := ca.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node-issuer.key", "registry-issuer.key", "token.key"} {
		path := filepath.Join(dir, "networks", "development", name)
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := pki.Open(t.Context(), pki.Config{Dir: dir}); !errors.Is(err, identity.ErrFileMode) {
			t.Errorf("%s readable by others: %v", name, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	networks := filepath.Join(dir, "networks")
	if err := os.Rename(filepath.Join(networks, "development"), filepath.Join(networks, "production")); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Open(t.Context(), pki.Config{Dir: dir}); err == nil {
		t.Error("a network under another's name was served")
	}
	if err := os.Rename(filepath.Join(networks, "production"), filepath.Join(networks, "development")); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "ca.yaml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, append(text, "unknown: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Open(t.Context(), pki.Config{Dir: dir}); err == nil {
		t.Error("an unknown setting was accepted")
	}
}

// Serving needs no root's key: it can be kept elsewhere.
func TestRootKeysAreNeverLoaded(t *testing.T) {
	dir := initDir(t, "development")
	if err := os.Remove(filepath.Join(dir, "networks", "development", "root.key")); err != nil {
		t.Fatal(err)
	}
	w := serveWorld(t, dir, newClock(), nil)
	w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1"})
}

func TestWithoutRegistryIssuer(t *testing.T) {
	dir := initDir(t, "development")
	if err := os.Remove(filepath.Join(dir, "networks", "development", "registry-issuer.key")); err != nil {
		t.Fatal(err)
	}
	w := serveWorld(t, dir, newClock(), func(c *pki.Config) { c.NoRegistryIssuer = true })
	w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	token := w.token(t, pki.TokenRequest{Service: "registry", Node: "r1"}).Token
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token, CSR: plainCSR(t), SigningCSR: plainCSR(t)})
	wantRefusal(t, got, 503, identity.Unavailable)
	wantTokenUsed(t, got, false)
}

func TestPassphrase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	pass := pki.NewPassphrase([]byte("correct horse"))
	if told := fmt.Sprint(pass, pass.LogValue()); strings.Contains(told, "horse") {
		t.Errorf("a passphrase tells %q", told)
	}
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL, Passphrase: pass}); err != nil {
		t.Fatal(err)
	}
	for name := range maps.Keys(files(t, dir)) {
		if filepath.Ext(name) != ".key" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if block, _ := pem.Decode(text); block == nil || block.Type != "ENCRYPTED PRIVATE KEY" {
			t.Errorf("%s is not encrypted", name)
		}
	}
	for name, wrong := range map[string]pki.Passphrase{"none": {}, "another": pki.NewPassphrase([]byte("battery staple"))} {
		if _, err := pki.Open(t.Context(), pki.Config{Dir: dir, Passphrase: wrong}); !errors.Is(err, pki.ErrPassphrase) {
			t.Errorf("%s: got %v, want ErrPassphrase", name, err)
		}
	}
	openAndClose(t, pki.Config{Dir: dir, Passphrase: pass})
	mustContain(t, pass.String(), "redacted")
}

func TestParseExtras(t *testing.T) {
	got, err := pki.ParseExtras([]string{"Registry.example.org", "localhost", "localhost"}, []string{"10.1.2.3/8", "::1", "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	want := pki.Extras{
		DNS: []string{"localhost", "registry.example.org"},
		IPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("::1/128")},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "a..b", "-a", "*.example.org", "127.0.0.1", "a b", "é", "x.", strings.Repeat("a.", 130) + "a"} {
		if _, err := pki.ParseExtras([]string{bad}, nil); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("DNS name %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "x", "1.2.3", "10.0.0.0/33", "10.0.0.0/8/8"} {
		if _, err := pki.ParseExtras(nil, []string{bad}); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("address %q: %v", bad, err)
		}
	}
}
