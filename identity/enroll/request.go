package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/url"

	"github.com/neurons-me/netget/identity"
)

// keys are new private keys that certificates are asked for.
type keys struct {
	node    crypto.Signer
	signing crypto.Signer // nil: no signing certificate is asked for
}

// A request is what enrolment and renewal send; CSRs are DER (PKCS #10).
type request struct {
	Token      string `json:"token,omitempty"`
	CSR        []byte `json:"csr"`
	SigningCSR []byte `json:"signingCsr,omitempty"`
}

// newKeys makes the keys of a node, of Ed25519 if it wants so.
func newKeys(signing, edwards bool) (k keys, err error) {
	if k.node, err = newKey(edwards); err != nil {
		return keys{}, err
	}
	if signing {
		k.signing, err = newKey(edwards)
	}
	return k, err
}

func newKey(edwards bool) (crypto.Signer, error) {
	if edwards {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("making a key: %w", err)
		}
		return key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// request returns the certificate requests for the keys; the name in them is
// what the certificates will say anyway.
func (k keys) request(id identity.NodeID) (r request, err error) {
	if r.CSR, err = newCSR(id, k.node); err != nil {
		return request{}, err
	}
	if k.signing != nil {
		r.SigningCSR, err = newCSR(id, k.signing)
	}
	return r, err
}

func newCSR(id identity.NodeID, key crypto.Signer) ([]byte, error) {
	uri, err := url.Parse(id.String())
	if err != nil {
		return nil, fmt.Errorf("preparing a certificate request: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{uri}}, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return der, nil
}

// isEdwards reports whether a credential's key is of Ed25519.
func isEdwards(c *identity.Credential) bool {
	_, ok := c.Leaf().PublicKey.(ed25519.PublicKey)
	return ok
}
