package pki_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

func FuzzToken(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "ca")
	if _, err := pki.Init(f.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err != nil {
		f.Fatal(err)
	}
	ca, err := pki.Open(f.Context(), pki.Config{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ca.Close() })
	good, err := ca.Token(f.Context(), pki.TokenRequest{Service: "billing", Node: "b1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Token)
	f.Add(strings.Replace(good.Token, ".", "", 1))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		err := pki.VerifyToken(ca, token)
		if err == nil && !sameSignedPart(token, good.Token) {
			t.Errorf("a token that nobody made verifies: %q", token)
		}
		if err != nil && identity.CodeOf(err) == "" {
			t.Errorf("a refusal without class: %v", err)
		}
	})
}

// sameSignedPart leaves the signature out: ES256 has two for each.
func sameSignedPart(a, b string) bool {
	return a[:strings.LastIndex(a, ".")] == b[:strings.LastIndex(b, ".")]
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("0\x00"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if err := pki.CheckRequest(der); err != nil && identity.CodeOf(err) == "" {
			t.Errorf("a refusal without class: %v", err)
		}
	})
}
