package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"

	"github.com/go-jose/go-jose/v4"
)

// A Credential is a certificate with its private key and its issuer: what is
// needed to sign as a node and to serve and call over TLS. It is immutable.
type Credential struct {
	key          crypto.Signer
	alg          jose.SignatureAlgorithm
	leaf, issuer *x509.Certificate
	id           NodeID
}

// NewCredential joins a private key to its certificate. It fails with
// [BadCert] if the key is not the certificate's, or the certificate names no
// node; the chain is verified by whoever relies on it, see [Bundle.Verify].
func NewCredential(key crypto.Signer, leaf, issuer *x509.Certificate) (*Credential, error) {
	alg, err := algorithmOf(leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	if !samePublicKey(key.Public(), leaf.PublicKey) {
		return nil, Refuse(BadCert, "the private key does not belong to the certificate")
	}
	id, err := idOf(leaf)
	if err != nil {
		return nil, err
	}
	return &Credential{key: key, alg: alg, leaf: leaf, issuer: issuer, id: id}, nil
}

// ID returns whom the credential speaks for.
func (c *Credential) ID() NodeID { return c.id }

// Leaf returns the certificate.
func (c *Credential) Leaf() *x509.Certificate { return c.leaf }

// Issuer returns the certificate of the leaf's issuer.
func (c *Credential) Issuer() *x509.Certificate { return c.issuer }

// Thumbprint returns SHA-256 of the leaf.
func (c *Credential) Thumbprint() Hash { return Thumbprint(c.leaf) }

// TLS returns the form that crypto/tls takes: leaf, then issuer.
func (c *Credential) TLS() *tls.Certificate {
	return &tls.Certificate{
		Certificate: [][]byte{c.leaf.Raw, c.issuer.Raw},
		PrivateKey:  c.key,
		Leaf:        c.leaf,
	}
}

func samePublicKey(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *ecdsa.PublicKey:
		return a.Equal(b)
	case ed25519.PublicKey:
		return a.Equal(b)
	}
	return false
}
