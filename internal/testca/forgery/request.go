package forgery

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
)

// Request returns a certificate request of a key, in DER like all of them.
func Request(key crypto.Signer, template x509.CertificateRequest) []byte {
	return must(x509.CreateCertificateRequest(rand.Reader, &template, key))
}

// WronglySigned returns a request that was signed with another key than its own.
func WronglySigned() []byte {
	type request struct {
		TBS asn1.RawValue
		Alg pkix.AlgorithmIdentifier
		Sig asn1.BitString
	}
	var mine, other request
	for _, r := range []*request{&mine, &other} {
		must(asn1.Unmarshal(Request(newKey(elliptic.P256()), x509.CertificateRequest{}), r))
	}
	mine.Sig = other.Sig
	return must(asn1.Marshal(mine))
}

// RSA returns a request of an RSA key.
func RSA(bits int) []byte {
	return Request(must(rsa.GenerateKey(rand.Reader, bits)), x509.CertificateRequest{})
}

// P384 returns a request of a key on another curve.
func P384() []byte { return Request(newKey(elliptic.P384()), x509.CertificateRequest{}) }

// HugeRSA returns a request of an RSA key of 16,384 bits that nobody had to
// generate.
func HugeRSA() []byte { return madeUpRSA(16384) }

// WeakRSA returns a request of an RSA key of 1,024 bits.
func WeakRSA() []byte { return madeUpRSA(1024) }

func madeUpRSA(bits int) []byte {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.SetBit(n, 0, 1)
	spki := must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: 65537}))
	return withPublicKey(spki, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, bits/8)
}

// Ed25519 returns a request of any 32 bytes that are said to be an Ed25519 key.
func Ed25519(point []byte) []byte {
	spki := must(asn1.Marshal(struct {
		Alg pkix.AlgorithmIdentifier
		Key asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 101, 112}}, asn1.BitString{Bytes: point, BitLength: 256}}))
	return withPublicKey(spki, asn1.ObjectIdentifier{1, 3, 101, 112}, 64)
}

// withPublicKey is a request for a key, with a signature of zeros.
func withPublicKey(spki []byte, alg asn1.ObjectIdentifier, signatureBytes int) []byte {
	tbs := must(asn1.Marshal(struct {
		Version    int
		Subject    pkix.RDNSequence
		Key        asn1.RawValue
		Attributes asn1.RawValue
	}{0, nil, asn1.RawValue{FullBytes: spki}, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true}}))
	return must(asn1.Marshal(struct {
		TBS asn1.RawValue
		Alg pkix.AlgorithmIdentifier
		Sig asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, pkix.AlgorithmIdentifier{Algorithm: alg}, asn1.BitString{Bytes: make([]byte, signatureBytes), BitLength: 8 * signatureBytes}}))
}

func newKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}
