package pki

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/neurons-me/netget/identity"
)

// An order is one certificate to be signed: for whom, by whom, for which key.
type order struct {
	issuer  *issuer
	profile profile
	request *x509.CertificateRequest
	row     certificateRow
}

// order prepares a certificate, with its serial number, for the inventory.
func (ca *CA) order(n *network, iss *issuer, p profile, request *x509.CertificateRequest) (order, error) {
	serial, err := newSerial()
	if err != nil {
		return order{}, err
	}
	now := ca.cfg.Now()
	notBefore, notAfter := iss.validity(p, now)
	row := certificateRow{
		issuer:     issuerKey{n.name(), iss.hash},
		serial:     serialText(serial),
		issuerName: iss.name,
		usage:      usageOf(p),
		service:    p.id.Service(),
		node:       p.id.Label(),
		notBefore:  notBefore,
		notAfter:   notAfter,
		spki:       spkiOf(request),
		issuedAt:   now,
	}
	return order{iss, p, request, row}, nil
}

func usageOf(p profile) string {
	switch p.use {
	case identity.ClientUse, identity.ServerUse:
		return usageTLS
	case identity.SigningUse:
		return usageSigning
	case identity.CAServerUse:
		return usageCAServer
	}
	return ""
}

// orders makes those of a node: its TLS certificate and, for a registry that
// asks, its signing certificate. The requests are checked here.
func (ca *CA) orders(n *network, p profile, csr, signingCSR []byte) ([]order, error) {
	request, err := checkRequest(csr, p)
	if err != nil {
		return nil, err
	}
	first, err := ca.order(n, n.node, p, request)
	if err != nil || signingCSR == nil {
		return []order{first}, err
	}
	if p.id.Type() != identity.RegistryNode {
		return nil, identity.Refuse(identity.Denied, "%s is not a registry and signs no heads", p.id)
	}
	if n.registry == nil {
		return nil, identity.Refuse(identity.Unavailable, "this server runs without the registry issuer of %s", n.name())
	}
	signing := signingProfile(p.id)
	signingRequest, err := checkRequest(signingCSR, signing)
	if err != nil {
		return nil, err
	}
	if sameKey(request, signingRequest) {
		return nil, identity.Refuse(identity.Denied, "the signing key must be another than the TLS key")
	}
	second, err := ca.order(n, n.registry, signing, signingRequest)
	return []order{first, second}, err
}

// issue stores the reservation and then signs the orders, in this order: what
// is signed is known, and a token that was used once stays used whatever
// happens after. Each certificate is verified as its readers will.
func (ca *CA) issue(ctx context.Context, n *network, r reservation, orders []order) ([]*identity.Certificate, error) {
	r.network, r.now = n.name(), ca.cfg.Now()
	for _, o := range orders {
		r.rows = append(r.rows, o.row)
	}
	if err := ca.store.reserve(ctx, r); err != nil {
		return nil, err
	}
	// From here on a caller that hangs up must not leave half of it undone.
	return ca.sign(context.WithoutCancel(ctx), n, orders)
}

func (ca *CA) sign(ctx context.Context, n *network, orders []order) ([]*identity.Certificate, error) {
	var issued []*identity.Certificate
	for _, o := range orders {
		leaf, err := o.issuer.sign(ctx, o.request, o.profile, o.row)
		if err != nil {
			return nil, signingFailed(err)
		}
		cert, err := n.bundle.Verify(leaf, o.issuer.cert, o.profile.use)
		if err != nil {
			// Without its class: it is no fault of the caller.
			return nil, signingFailed(errors.New("verifying what was signed: " + err.Error()))
		}
		ca.audit.issued(ctx, n, o)
		issued = append(issued, cert)
	}
	return issued, nil
}

// A signingError is a failure after the reservation was stored: a token that
// was part of it is used up.
type signingError struct{ err error }

func signingFailed(err error) error { return &signingError{err} }

func (e *signingError) Error() string { return e.err.Error() }

func (e *signingError) Unwrap() error { return e.err }

// chainOf returns leaf and issuer in DER.
func chainOf(cert *identity.Certificate) [][]byte {
	return [][]byte{cert.Leaf().Raw, cert.Issuer().Raw}
}
