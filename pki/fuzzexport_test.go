package pki

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"math/big"

	"github.com/neurons-me/netget/identity"
)

// SignClaims makes a token of any payload, as its key's owner alone can.
func SignClaims(ca *CA, payload []byte) (string, error) {
	k := ca.all()[0].tokens
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(k.header())) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	der, err := k.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return "", err
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return input + "." + b64(raw), nil
}

// OpenToken returns whom a token lets in, and the request that it is bound to.
func OpenToken(ca *CA, token string) (id identity.NodeID, addresses []string, request string, err error) {
	g, err := ca.all()[0].tokens.verify(token)
	return g.id, g.addresses, g.request, err
}

// CheckRequestOf checks the request of a node for its TLS certificate.
func CheckRequestOf(ca *CA, id identity.NodeID, der []byte) (*x509.CertificateRequest, error) {
	return checkRequest(der, tlsProfile(id, ca.all()[0].spec, nil))
}

// PostEnroll is POST /v1/enroll behind the connection.
func PostEnroll(ctx context.Context, ca *CA, body []byte) (Enrolment, error) {
	var q enrollRequest
	if err := identity.UnmarshalStrict(body, &q); err != nil {
		return Enrolment{}, err
	}
	return ca.enroll(ctx, ca.all()[0], q.Token, q.CSR, q.SigningCSR)
}

// PostHeads is POST /v1/heads behind the connection of peer.
func PostHeads(ctx context.Context, ca *CA, peer *identity.Certificate, body []byte) (version int64, log identity.Hash, elsewhere bool, err error) {
	r, elsewhere, err := ca.reportHead(ctx, ca.all()[0], peer, body)
	return r.Version, r.Log, elsewhere, err
}

// ReadSettings reads ca.yaml; it returns the URL and what networks get.
func ReadSettings(path string) (url string, extras Extras, err error) {
	s, err := readSettings(path)
	return s.URL, s.Extras, err
}

// CheckURL checks the public URL of an authority.
func CheckURL(s string) error { return checkURL(s) }

// NetworkOf returns the network of a server name and whether a Host header
// names another; nil for none.
func NetworkOf(ca *CA, sni, host string) (trustDomain string, another bool) {
	n := ca.bySNI(identity.FoldName(sni))
	if n == nil {
		return "", false
	}
	return n.spec.td.String(), ca.ofAnother(n, host)
}
