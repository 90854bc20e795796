package identity_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestKeyPEM(t *testing.T) {
	for _, key := range []crypto.Signer{newKey(), testca.EdKey("x")} {
		text, err := identity.EncodeKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := identity.DecodeKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if same := again.Public().(interface{ Equal(x crypto.PublicKey) bool }); !same.Equal(key.Public()) {
			t.Error("another key came back")
		}
	}
}

func TestDecodeKeyRefuses(t *testing.T) {
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	exchangeKey, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		text []byte
		want identity.Code
	}{
		"nothing":                   {nil, identity.Malformed},
		"another label":             {block("EC PRIVATE KEY", pkcs8(newKey())), identity.Malformed},
		"a certificate's label":     {block("CERTIFICATE", pkcs8(newKey())), identity.Malformed},
		"no key":                    {block("PRIVATE KEY", []byte{1}), identity.Malformed},
		"a key that cannot sign":    {block("PRIVATE KEY", pkcs8(exchangeKey)), identity.Malformed},
		"a key of a forbidden kind": {block("PRIVATE KEY", pkcs8(rsaKey)), identity.BadCert},
	} {
		if _, err := identity.DecodeKey(row.text); identity.CodeOf(err) != row.want {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
	}
	if _, err := identity.EncodeKey(testca.Key("x")); err == nil {
		t.Error("a key that cannot be written was written")
	}
}

func TestChainRefuses(t *testing.T) {
	ca := testca.New("production", "a", now)
	leaf := ca.Issue(ca.ID("databaseservice", "db-1")).Leaf()
	crl := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: ca.CRL(1)})
	good := identity.EncodeChain(leaf, ca.NodeIssuer)
	if l, i, err := identity.DecodeChain(good); err != nil || !l.Equal(leaf) || !i.Equal(ca.NodeIssuer) {
		t.Fatalf("got %v", err)
	}
	for name, text := range map[string][]byte{
		"three certificates": identity.EncodeChain(leaf, ca.NodeIssuer, ca.Root), "one": identity.EncodeChain(leaf), "a revocation list behind": append(good, crl...), "text": []byte("x"),
	} {
		if _, _, err := identity.DecodeChain(text); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: got %v, want %s", name, err, identity.Malformed)
		}
	}
	huge := ca.Leaf(ca.ID("databaseservice", "db-1"), testca.Key("x").Public(), extension(false, make([]byte, 16<<10), 1, 2, 3))
	for name, ders := range map[string][][]byte{
		"no chain": nil, "one": {leaf.Raw}, "three": {leaf.Raw, ca.NodeIssuer.Raw, ca.Root.Raw}, "no leaf": {{1}, ca.NodeIssuer.Raw}, "no issuer": {leaf.Raw, {1}},
		"more than 16 KiB": {huge.Raw, ca.NodeIssuer.Raw}, "bytes behind": {append(append([]byte{}, leaf.Raw...), 0), ca.NodeIssuer.Raw},
	} {
		if _, _, err := identity.ParsePair(ders); identity.CodeOf(err) != identity.BadCert {
			t.Errorf("%s: got %v, want %s", name, err, identity.BadCert)
		}
	}
}
