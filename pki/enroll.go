package pki

import (
	"context"
	"errors"

	"github.com/neurons-me/netget/identity"
)

// An Enrolment is what a new or renewed node gets: its chains, leaf first, in
// DER, and the network's bundle with its registries. It is the reply of
// POST /v1/enroll and /v1/renew.
type Enrolment struct {
	Certificate        [][]byte `json:"certificate"`
	SigningCertificate [][]byte `json:"signingCertificate,omitempty"`
	identity.BundleDocument
	Registries []identity.RegistryEntry `json:"registries"`
}

// errTokenUsed refuses a token that was used before.
func errTokenUsed() error {
	return identity.Refuse(identity.Denied, "the token was used before: %w", errReuse)
}

var errReuse = errors.New("token reuse")

// enroll exchanges a join token for certificates, in the order of
// docs/protocol.md section 6: token, request, then token used and serial
// stored together, then the signature.
func (ca *CA) enroll(ctx context.Context, n *network, token string, csr, signingCSR []byte) (Enrolment, error) {
	g, err := n.tokens.verify(token)
	if err != nil {
		return Enrolment{}, err
	}
	orders, err := ca.orders(n, tlsProfile(g.id, n.spec, g.addresses), csr, signingCSR)
	if err != nil {
		return Enrolment{}, err
	}
	if g.request != "" && g.request != requestHash(csr) {
		return Enrolment{}, identity.Refuse(identity.Denied, "the token is bound to another certificate request")
	}
	return ca.admit(ctx, n, reservation{token: &g, registry: g.id.Label(), addresses: g.addresses}, orders)
}

// EnrollOffline makes certificates without a token, for whoever holds the
// authority's folder. The requests are PKCS #10 in DER; signingCSR is nil for
// all but registries.
func (ca *CA) EnrollOffline(ctx context.Context, networkName, service, node string, csr, signingCSR []byte) (Enrolment, error) {
	n, err := ca.network(networkName)
	if err != nil {
		return Enrolment{}, err
	}
	id, err := identity.NewNodeID(n.spec.td, service, node)
	if err != nil {
		return Enrolment{}, err
	}
	orders, err := ca.orders(n, tlsProfile(id, n.spec, nil), csr, signingCSR)
	if err != nil {
		return Enrolment{}, err
	}
	return ca.admit(ctx, n, reservation{}, orders)
}

// admit issues and puts together the reply.
func (ca *CA) admit(ctx context.Context, n *network, r reservation, orders []order) (Enrolment, error) {
	issued, err := ca.issue(ctx, n, r, orders)
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Certificate: chainOf(issued[0]), BundleDocument: n.bundle.Document()}
	if len(issued) > 1 {
		e.SigningCertificate = chainOf(issued[1])
	}
	e.Registries, err = ca.entries(ctx, n)
	if err != nil {
		return Enrolment{}, signingFailed(err)
	}
	return e, nil
}
