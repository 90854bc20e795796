package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"

	"filippo.io/edwards25519"
	"github.com/go-jose/go-jose/v4"
)

// CheckKey reports whether a public key may stand in a certificate: ECDSA on
// P-256, or Ed25519 in its canonical encoding and not of small order. Any other
// is [BadCert], decided before any arithmetic with it.
func CheckKey(key crypto.PublicKey) error {
	_, err := algorithmOf(key)
	return err
}

// algorithmOf returns the one signature algorithm of a key.
func algorithmOf(key crypto.PublicKey) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256, nil
		}
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize && isCanonicalPoint(k) && !isSmallOrder(k) {
			return jose.EdDSA, nil
		}
		return "", Refuse(BadCert, "the Ed25519 key is not canonical or of small order")
	}
	return "", Refuse(BadCert, "keys are ECDSA P-256 or Ed25519")
}

// isCanonicalPoint reports whether b is the one encoding of a curve point.
// Others are accepted by the standard library (RFC 8032 section 5.1.3 is not).
func isCanonicalPoint(b []byte) bool {
	p, err := new(edwards25519.Point).SetBytes(b)
	return err == nil && bytes.Equal(p.Bytes(), b)
}

// isSmallOrder reports whether b encodes a point of the small subgroup, for
// which signatures can be made that fit any message.
func isSmallOrder(b []byte) bool {
	p, err := new(edwards25519.Point).SetBytes(b)
	return err == nil && new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1
}
