package identity_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"testing"

	"filippo.io/edwards25519"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// smallR makes, with the key, a signature whose R is the neutral element and
// which satisfies the verification equation: S = k·a.
func smallR(key ed25519.PrivateKey, message []byte) []byte {
	h := sha512.Sum512(key.Seed())
	a, err := new(edwards25519.Scalar).SetBytesWithClamping(h[:32])
	if err != nil {
		panic(err)
	}
	r := edwards25519.NewIdentityPoint().Bytes()
	d := sha512.New()
	d.Write(r)
	d.Write(key.Public().(ed25519.PublicKey))
	d.Write(message)
	k, err := new(edwards25519.Scalar).SetUniformBytes(d.Sum(nil))
	if err != nil {
		panic(err)
	}
	return append(r, new(edwards25519.Scalar).Multiply(k, a).Bytes()...)
}

func TestSmallRIsAValidSignature(t *testing.T) {
	key := testca.EdKey("x").(ed25519.PrivateKey)
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("m"), smallR(key, []byte("m"))) {
		t.Error("the forged signature does not verify, so its refusal proves nothing")
	}
}

func TestCheckKeyRefusesEdwards(t *testing.T) {
	// The eight points of small order, and encodings that are not canonical
	// (RFC 8032 section 5.1.3; y of the field's size or more, x = 0 with its sign set).
	for name, text := range map[string]string{
		"of order 1":                   "0100000000000000000000000000000000000000000000000000000000000000",
		"of order 2":                   "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"of order 4":                   "0000000000000000000000000000000000000000000000000000000000000000",
		"of order 4, the other":        "0000000000000000000000000000000000000000000000000000000000000080",
		"of order 8":                   "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"of order 8, the second":       "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"of order 8, the third":        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"of order 8, the fourth":       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"of order 1 with its sign set": "0100000000000000000000000000000000000000000000000000000000000080",
		"of order 2 with its sign set": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"of order 1 as y = p+1":        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"of order 4 as y = p":          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"of large order as y = p+3":    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"of large order as y = p+4":    "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"of no point":                  "0200000000000000000000000000000000000000000000000000000000000000",
		"of 31 bytes":                  "01000000000000000000000000000000000000000000000000000000000000",
		"of nothing":                   "",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := identity.CheckKey(ed25519.PublicKey(key)); identity.CodeOf(err) != identity.BadCert {
			t.Errorf("an Ed25519 key %s: got %v, want %s", name, err, identity.BadCert)
		}
	}
	if err := identity.CheckKey(testca.EdKey("x").Public()); err != nil {
		t.Errorf("a good Ed25519 key: %v", err)
	}
}
