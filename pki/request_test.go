package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func sequence(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	return encode(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(parts, nil)})
}

// twistedCSR is a request for key whose AlgorithmIdentifier goes on after the
// curve, which the parser passes over. Without extra it is a usual one.
func twistedCSR(t *testing.T, key *ecdsa.PrivateKey, extra ...int) []byte {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	algorithm := [][]byte{encode(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}), encode(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})}
	for _, n := range extra {
		algorithm = append(algorithm, encode(t, n))
	}
	spki := sequence(t, sequence(t, algorithm...), encode(t, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}))
	signed := sequence(t, encode(t, 0), sequence(t), spki, encode(t, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true}))
	sum := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sequence(t, signed, sequence(t, encode(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})),
		encode(t, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}))
}

func TestKeyInAnotherEncoding(t *testing.T) {
	key := newKey(t)
	if err := pki.CheckRequest(twistedCSR(t, key)); err != nil {
		t.Errorf("the usual encoding: %v", err)
	}
	for extra := range 3 {
		wantCode(t, pki.CheckRequest(twistedCSR(t, key, extra)), identity.BadCert)
	}
}

// A key in another dress would have passed as a new one.
func TestDisguisedKeyIsNoNewKey(t *testing.T) {
	w := newWorld(t, "development")
	key := newKey(t)
	token := w.token(t, pki.TokenRequest{Service: "registry", Node: "r1"}).Token
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{
		Token: token, CSR: csrFor(t, key, x509.CertificateRequest{}), SigningCSR: twistedCSR(t, key, 7),
	})
	wantRefusal(t, got, 401, identity.BadCert)
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	got = w.caller(t, "development", m.tls()).do(t, "POST", "/v1/renew", enrolment{CSR: twistedCSR(t, m.key, 7)})
	wantRefusal(t, got, 401, identity.BadCert)
}
