package enroll

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"

	"github.com/neurons-me/netget/identity"
)

// bootstrap fetches the root that a token names and returns what trusts it and
// nothing else. The connection is not trusted, so it carries nothing but the
// question; the answer proves itself by its hash.
func bootstrap(ctx context.Context, t Token) (*identity.Bundle, error) {
	td := t.id.TrustDomain()
	body, err := call{
		tls:    untrustedTLS(td.CAName()),
		method: http.MethodGet, url: t.ca + "/1.0/root/" + hex.EncodeToString(t.root[:]), status: http.StatusOK,
		limit: maxSmallBytes,
	}.do(ctx)
	if err != nil {
		return nil, err
	}
	return t.trust(body)
}

// trust opens the reply with the root.
func (t Token) trust(body []byte) (*identity.Bundle, error) {
	td := t.id.TrustDomain()
	var reply struct {
		CA string `json:"ca"` // PEM
	}
	if err := identity.UnmarshalStrict(body, &reply); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(reply.CA))
	if block == nil {
		return nil, identity.Refuse(identity.Malformed, "the reply holds no root certificate")
	}
	if sha256.Sum256(block.Bytes) != t.root {
		return nil, identity.Refuse(identity.BadCert, "the root at %s is not the one that the join token names", t.ca)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, identity.Refuse(identity.BadCert, "parsing the root: %w", err)
	}
	return identity.NewBundle(identity.BundleDocument{
		Network: td.Network(), Domain: td.Domain(), NID: identity.NID(root), Roots: [][]byte{root.Raw},
	})
}

func untrustedTLS(name string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ServerName:             name,
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, //nolint:gosec // nothing secret is sent, and the reply is checked by its hash
	}
}
