package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
	"github.com/neurons-me/netget/pki"
)

// Each process of a fuzz run has an authority with keys of its own. So no input
// holds anything signed: an input is what is done to it.

func openFuzzCA(f *testing.F) *pki.CA {
	f.Helper()
	dir := filepath.Join(f.TempDir(), "ca")
	if _, err := pki.Init(f.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err != nil {
		f.Fatal(err)
	}
	ca, err := pki.Open(f.Context(), pki.Config{Dir: dir})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := ca.Close(); err != nil {
			f.Error(err)
		}
	})
	return ca
}

func mint(tb testing.TB, ca *pki.CA, service, node string) string {
	tb.Helper()
	token, err := ca.Token(tb.Context(), pki.TokenRequest{Service: service, Node: node})
	if err != nil {
		tb.Fatal(err)
	}
	return token.Token
}

// FuzzToken overwrites a good token at one place, or shows any other text. What
// verifies says, signed, what the good one says.
func FuzzToken(f *testing.F) {
	ca := openFuzzCA(f)
	good := mint(f, ca, "billing", "b1")
	f.Add("", uint16(0), byte(0), []byte{})
	for i := range uint16(64) {
		f.Add("", i*23, byte(i), []byte{byte(i)})
	}
	for _, text := range []string{"..", "a.b.c", "....", strings.Repeat(".", 4<<10), strings.Repeat("A", 5<<10)} {
		f.Add(text, uint16(0), byte(0), []byte{})
	}
	f.Fuzz(func(t *testing.T, text string, at uint16, drop byte, with []byte) {
		if text == "" {
			i := int(at) % len(good)
			text = good[:i] + string(with) + good[min(len(good), i+int(drop)):]
		}
		var err error
		spoil.Bounded(t, len(text), 64, func() { err = pki.VerifyToken(ca, text) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if !sameSignedPart(text, good) || len(text) != len(good) {
			t.Errorf("a token that nobody made verifies: %q", text)
		}
	})
}

// sameSignedPart leaves the signature out: ES256 has two for each.
func sameSignedPart(a, b string) bool {
	return a[:strings.LastIndex(a, ".")] == b[:strings.LastIndex(b, ".")]
}

// FuzzClaims signs what comes with the key of the tokens, so that all behind the
// signature is reached. A token that is taken says one thing in all its claims.
func FuzzClaims(f *testing.F) {
	ca := openFuzzCA(f)
	var all [][]byte
	for i, node := range [][2]string{{"billing", "b1"}, {"registry", "r1"}, {"operator", "olga"}} {
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(mint(f, ca, node[0], node[1]), ".")[1])
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, claims)
		for way := range byte(7) {
			for place := range uint16(24) {
				f.Add(uint8(i), place, way, []byte{0, byte(place), 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, place uint16, way byte, with []byte) {
		claims := spoil.JSON(all[int(index)%len(all)], place, way, with)
		token, err := pki.SignClaims(ca, claims)
		if err != nil {
			t.Fatal(err)
		}
		id, _, _, err := pki.OpenToken(ca, token)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		var c struct {
			Iss, Aud, Sub, Jti string
			Sans               []string
			Iat, Nbf, Exp      int64
			Netget             struct{ Network, Domain, Service, Node, Profile string }
		}
		if err := json.Unmarshal(claims, &c); err != nil {
			t.Fatal(err)
		}
		now := time.Now().Unix()
		want := append([]string{id.String()}, id.DNSNames()...)
		if c.Iss != id.TrustDomain().String() || c.Aud != publicURL || c.Sub != id.Label() || !slices.Equal(c.Sans, want) || c.Jti == "" || len(c.Jti) > 64 ||
			c.Netget.Network != id.TrustDomain().Network() || c.Netget.Service != id.Service() || c.Netget.Node != id.Label() || c.Netget.Profile != id.Type().String() {
			t.Errorf("%s lets in %s", claims, id)
		}
		if c.Exp <= c.Iat || c.Exp-c.Iat > 86400 || c.Exp < now-1 || c.Iat > now+61 || c.Nbf > now+61 {
			t.Errorf("%s is taken at %d", claims, now)
		}
	})
}

// requestSeeds are certificate requests of every kind of key, and of every kind
// of name, made from fixed keys.
func requestSeeds(f *testing.F) [][]byte {
	f.Helper()
	var all [][]byte
	add := func(template x509.CertificateRequest, key any) {
		der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	add(x509.CertificateRequest{}, testca.EdKey("csr"))
	add(x509.CertificateRequest{}, p384)
	for _, names := range [][]string{nil, {"b1.billing.development.netget.internal"}, {"localhost"}, {"*"}, {"a", "b"}} {
		add(x509.CertificateRequest{DNSNames: names}, testca.Key("csr"))
	}
	add(x509.CertificateRequest{EmailAddresses: []string{"a@b"}}, testca.Key("csr"))
	return all
}

// FuzzRequest reads certificate requests. One that is taken was signed by its
// own key, of a kind that certificates may have, and asks for no other name.
func FuzzRequest(f *testing.F) {
	ca := openFuzzCA(f)
	td, err := identity.NewTrustDomain("development", identity.DefaultDomain)
	if err != nil {
		f.Fatal(err)
	}
	id, err := identity.NewNodeID(td, "billing", "b1")
	if err != nil {
		f.Fatal(err)
	}
	all := requestSeeds(f)
	signed := map[[32]byte]struct{}{}
	for i, der := range all {
		if r, err := x509.ParseCertificateRequest(der); err == nil {
			signed[sha256.Sum256(r.RawTBSCertificateRequest)] = struct{}{}
		}
		for at := range uint16(24) {
			f.Add([]byte(nil), uint8(i), at*11, byte(at), []byte{byte(i)})
		}
		f.Add([]byte(nil), uint8(i), uint16(0), byte(0), []byte{})
		f.Add(der, uint8(0), uint16(0), byte(0), []byte{})
	}
	f.Add([]byte("0\x00"), uint8(0), uint16(0), byte(0), []byte{})
	f.Fuzz(func(t *testing.T, der []byte, index uint8, at uint16, drop byte, with []byte) {
		if len(der) == 0 {
			good := all[int(index)%len(all)]
			i := int(at) % len(good)
			der = slices.Concat(good[:i], with, good[min(len(good), i+int(drop)):])
		}
		var r *x509.CertificateRequest
		var err error
		spoil.Bounded(t, min(len(der), 8<<10), 64, func() { r, err = pki.CheckRequestOf(ca, id, der) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if len(der) > 8<<10 || identity.CheckKey(r.PublicKey) != nil || r.CheckSignature() != nil || len(r.EmailAddresses) != 0 || len(r.IPAddresses) != 0 {
			t.Errorf("took the request %x", der)
		}
		for _, name := range r.DNSNames {
			if !slices.Contains(id.DNSNames(), name) {
				t.Errorf("took a request for %q", name)
			}
		}
		if _, known := signed[sha256.Sum256(r.RawTBSCertificateRequest)]; !known {
			t.Errorf("took what nobody has signed: %x", der)
		}
	})
}
