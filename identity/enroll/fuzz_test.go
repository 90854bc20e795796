package enroll_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// fuzzCA is an authority that nobody has to dial.
func fuzzCA() *fakeCA {
	ca := testca.New("production", "a", start)
	return &fakeCA{ca: ca, root: ca.Root, now: fixed, url: "https://localhost:8439"}
}

func fuzzToken(tb testing.TB, f *fakeCA, id identity.NodeID) enroll.Token {
	tb.Helper()
	token, err := enroll.ParseToken(tokenText(f.tokenClaims(id)))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// FuzzParseToken puts any payload into a token. What is read leads to an
// authority over TLS, for an identity that all claims agree on, and is no longer
// to be seen in any text.
func FuzzParseToken(f *testing.F) {
	ca := fuzzCA()
	good, err := json.Marshal(ca.tokenClaims(ca.ca.ID("databaseservice", "db-1")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", good, uint16(0), byte(3), []byte{})
	for way := range byte(7) {
		for place := range uint16(24) {
			f.Add("", good, place, way, []byte{0, byte(place + 1), 1})
		}
	}
	f.Add("a.b.c", good, uint16(0), byte(3), []byte{})
	f.Add("\n"+tokenText(map[string]any{"aud": "https://localhost:1", "exp": 5}), good, uint16(0), byte(3), []byte{})
	f.Fuzz(func(t *testing.T, text string, claims []byte, place uint16, way byte, with []byte) {
		if text == "" {
			b64 := base64.RawURLEncoding.EncodeToString
			text = b64([]byte("{}")) + "." + b64(spoil.JSON(claims, place, way, with)) + "." + b64([]byte("s"))
		}
		token, err := enroll.ParseToken(text)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		checkToken(t, text, token)
	})
}

func checkToken(t *testing.T, text string, token enroll.Token) {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(strings.TrimSpace(text), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Iss, Aud, Sha, Sub, Jti string
		Exp                     int64
		Netget                  struct{ Network, Domain, Service, Node, Profile string }
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	n, root := c.Netget, token.Root()
	if want := "spiffe://" + n.Network + "." + n.Domain + "/" + n.Service + "/" + n.Node; token.ID().String() != want || c.Iss != n.Network+"."+n.Domain || c.Sub != n.Node {
		t.Errorf("a token of %s reads as one of %s: %s", want, token.ID(), payload)
	}
	if hex.EncodeToString(root[:]) != c.Sha || token.CA() != c.Aud || token.Expires().Unix() != c.Exp || c.Exp <= 0 || c.Jti == "" || len(text) > 8<<10 {
		t.Errorf("got %s, %s, %s of %s", token.CA(), root, token.Expires(), payload)
	}
	u, err := url.Parse(token.CA())
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" {
		t.Errorf("the token leads to %q", token.CA())
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", token, token, token, token.LogValue()); len(text) > 200 && strings.Contains(shown, text[:40]) {
		t.Errorf("the token shows itself: %s", shown)
	}
}

// FuzzRoot reads what an unverified server says is the root. Only the bytes of
// which the token holds the hash are taken.
func FuzzRoot(f *testing.F) {
	ca := fuzzCA()
	token := fuzzToken(f, ca, ca.ca.ID("databaseservice", "db-1"))
	for _, cert := range []*x509.Certificate{ca.ca.Root, ca.ca.NodeIssuer} {
		doc, err := json.Marshal(map[string]string{"ca": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))})
		if err != nil {
			f.Fatal(err)
		}
		for way := range byte(7) {
			f.Add(doc, uint16(way%2), way, []byte{0, 50, 1})
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		doc = spoil.JSON(doc, place, way, with)
		var b *identity.Bundle
		var err error
		spoil.Bounded(t, len(doc), 64, func() { b, err = enroll.OpenRoot(token, doc) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if roots := b.Roots(); len(roots) != 1 || !roots[0].Equal(ca.ca.Root) || len(b.Issuers()) != 0 {
			t.Errorf("trusts more than the root of the token after %s", doc)
		}
	})
}

// FuzzReply reads replies of an authority to a token and to a renewal. A reply
// that is taken gives this node a certificate for its own key, under the network
// that it was promised.
func FuzzReply(f *testing.F) {
	ca := fuzzCA()
	ids := []identity.NodeID{ca.ca.ID("databaseservice", "db-1"), ca.ca.ID("registry", "r1"), ca.ca.ID("client", "carl")}
	node, signing := testca.Key("node"), testca.Key("signing")
	signed := map[[32]byte]struct{}{}
	for i, id := range ids {
		doc := ca.goodReply(f, id, node, signing, signed)
		f.Add(uint8(i), doc, uint16(1), byte(3), []byte{0, 1})
		other := &fakeCA{ca: testca.New("production", "b", start), now: fixed}
		f.Add(uint8(i), other.goodReply(f, id, node, signing, map[[32]byte]struct{}{}), uint16(1), byte(3), []byte{0, 1})
		for way := range byte(7) {
			for place := uint16(way % 3); place < 20; place += 3 {
				f.Add(uint8(i), doc, place, way, []byte{0, byte(place + 1), 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, doc []byte, place uint16, way byte, with []byte) {
		id := ids[int(index)%len(ids)]
		signer := signing
		if id.Type() != identity.RegistryNode {
			signer = nil
		}
		doc = spoil.JSON(doc, place, way, with)
		var fresh, later *enroll.Result
		var err, laterErr error
		spoil.Bounded(t, len(doc), 64, func() { fresh, err = enroll.OpenReply(fuzzToken(t, ca, id), doc, node, signer, start) })
		src := ca.ca.Source(id)
		before := src.Identity()
		later, laterErr = enroll.OpenRenewal(src, doc, node, signer, start)
		if laterErr != nil && src.Identity() != before {
			t.Errorf("a refused renewal is in force: %v", laterErr)
		}
		for _, got := range []struct {
			*enroll.Result
			err error
		}{{fresh, err}, {later, laterErr}} {
			if got.err != nil {
				spoil.Refused(t, got.err)
				continue
			}
			checkResult(t, got.Identity, id, node, signed)
		}
	})
}

// goodReply is the reply that gives an identity certificates, and notes what it
// has signed.
func (f *fakeCA) goodReply(tb testing.TB, id identity.NodeID, node, signing crypto.Signer, signed map[[32]byte]struct{}) []byte {
	tb.Helper()
	f.life = 1 << 40
	a := f.answer()
	leaf := f.ca.Leaf(id, node.Public())
	signed[sha256.Sum256(leaf.RawTBSCertificate)] = struct{}{}
	a.Certificate = [][]byte{leaf.Raw, f.ca.NodeIssuer.Raw}
	a.CRLs = [][]byte{f.ca.CRL(3)}
	a.Registries = []identity.RegistryEntry{{Registry: f.ca.ID("registry", "r1"), Addresses: []string{"https://localhost:8438"}, Mark: &identity.RegistryMark{Version: 1, Log: identity.Hash{1}}}}
	if id.Type() == identity.RegistryNode {
		template := f.ca.Template(id)
		template.UnknownExtKeyUsage = f.ca.RegistryIssuer.UnknownExtKeyUsage
		cert := f.ca.SignWithRegistryIssuer(template, signing.Public())
		signed[sha256.Sum256(cert.RawTBSCertificate)] = struct{}{}
		a.SigningCertificate = [][]byte{cert.Raw, f.ca.RegistryIssuer.Raw}
	}
	doc, err := json.Marshal(a)
	if err != nil {
		tb.Fatal(err)
	}
	return doc
}

func checkResult(t *testing.T, got *identity.Identity, id identity.NodeID, key crypto.Signer, signed map[[32]byte]struct{}) {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	leaf := got.Credential.Leaf()
	if got.ID() != id || got.Credential.ID() != id || !bytes.Equal(leaf.RawSubjectPublicKeyInfo, public) || got.Bundle.TrustDomain() != id.TrustDomain() {
		t.Errorf("an identity of %s, not of %s", got.Credential.ID(), id)
	}
	if _, known := signed[sha256.Sum256(leaf.RawTBSCertificate)]; !known {
		t.Errorf("a certificate that nobody has signed: %x", leaf.Raw)
	}
	for _, r := range got.Document.Registries {
		for _, address := range r.Addresses {
			if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Port() == "" || u.User != nil || u.Path != "" {
				t.Errorf("a registry at %q", address)
			}
		}
	}
}

// FuzzBundleReply reads the bundle that may follow the one in force. It goes on
// from there: the same network, every root, no list that is older.
func FuzzBundleReply(f *testing.F) {
	ca := testca.New("production", "a", start)
	old := ca.Bundle(ca.CRL(5))
	for _, number := range []int64{4, 5, 6} {
		doc, err := json.Marshal(ca.Bundle(ca.CRL(number)))
		if err != nil {
			f.Fatal(err)
		}
		for way := range byte(7) {
			for place := range uint16(12) {
				f.Add(doc, place, way, []byte{0, byte(place + 1), 1})
			}
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		doc = spoil.JSON(doc, place, way, with)
		var b *identity.Bundle
		var err error
		spoil.Bounded(t, len(doc), 64, func() { b, err = enroll.OpenBundle(old, doc, start) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if b.NID() != old.NID() || b.TrustDomain() != old.TrustDomain() || !b.Roots()[0].Equal(old.Roots()[0]) || len(b.Issuers()) < len(old.Issuers()) {
			t.Errorf("a bundle of %s follows", b.TrustDomain())
		}
		if crls := b.CRLs(); len(crls) == 0 || crls[0].Number().Cmp(old.CRLs()[0].Number()) < 0 {
			t.Errorf("a list was taken back: %v", crls)
		}
	})
}
