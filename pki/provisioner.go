package pki

import (
	"context"
	"crypto/x509"

	"github.com/smallstep/certificates/authority/provisioner"
	"github.com/smallstep/certificates/errs"
	"go.step.sm/crypto/jose"

	"github.com/neurons-me/netget/identity"
)

// A joinProvisioner is what smallstep's authorities know of join tokens. It
// takes the place of the JWK provisioner's own methods, which store a token's
// id before they look at its signature, and accept tokens without an end or
// for another port.
type joinProvisioner struct {
	*provisioner.JWK
	tokens *tokenKey
}

func newJoinProvisioner(tokens *tokenKey) *joinProvisioner {
	// EncryptedKey stays empty: smallstep would publish it.
	return &joinProvisioner{
		JWK: &provisioner.JWK{
			Type: "JWK",
			Name: tokens.td.String(),
			Key:  &jose.JSONWebKey{Key: tokens.signer.Public(), KeyID: tokens.kid, Algorithm: string(jose.ES256), Use: "sig"},
		},
		tokens: tokens,
	}
}

// GetTokenID returns the id under which a token is stored as used. Only a
// token that verifies has one, so a forged token can neither fill the store
// nor use up a good one.
func (p *joinProvisioner) GetTokenID(token string) (string, error) {
	grant, err := p.tokens.verify(token)
	if err != nil {
		return "", provisioner.ErrTokenFlowNotSupported
	}
	return grant.jti, nil
}

// AuthorizeSign returns what smallstep signs for a token: the profile of the
// token's grant.
func (p *joinProvisioner) AuthorizeSign(_ context.Context, token string) ([]provisioner.SignOption, error) {
	grant, err := p.tokens.verify(token)
	if err != nil {
		return nil, errs.UnauthorizedErr(err)
	}
	return []provisioner.SignOption{p, templateOf(tlsProfile(grant.id, p.tokens.spec, grant.addresses))}, nil
}

// AuthorizeRenew refuses: renewals are signed as new certificates, after
// checks that smallstep does not make.
func (p *joinProvisioner) AuthorizeRenew(context.Context, *x509.Certificate) error {
	return errs.Forbidden("certificates are renewed at /v1/renew")
}

// AuthorizeRevoke refuses: a join token revokes nothing.
func (p *joinProvisioner) AuthorizeRevoke(context.Context, string) error {
	return errs.UnauthorizedErr(identity.Refuse(identity.Denied, "a join token revokes nothing"))
}
