package authority

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/url"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// An Applicant is a node that is enrolled without a token.
type Applicant struct {
	Network string // "" for the only one
	Service string
	Node    string
}

// A request is an applicant with what its certificates are made for.
type request struct {
	Applicant
	CSR        []byte // PKCS #10 in DER
	SigningCSR []byte // of registries
}

// A grant is what the authority answers: certificates, and where to renew them.
type grant struct {
	pki.Enrolment
	CA string `json:"ca"`
}

// Enroll makes an identity with new keys in a folder, which must not hold one
// unless force. The keys never leave this process.
func (a Authority) Enroll(ctx context.Context, who Applicant, folder *identity.Folder, force bool) (*identity.Identity, error) {
	if folder.Exists() && !force {
		return nil, fmt.Errorf("%s: %w", folder.Dir(), identity.ErrIdentityExists)
	}
	network, err := a.Network(ctx, who.Network)
	if err != nil {
		return nil, err
	}
	td, err := identity.ParseTrustDomain(network.TrustDomain)
	if err != nil {
		return nil, err
	}
	id, err := identity.NewNodeID(td, who.Service, who.Node)
	if err != nil {
		return nil, Explain(err)
	}
	who.Network = network.Network
	i, err := a.enroll(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if err := folder.Create(i, force); err != nil {
		return nil, fmt.Errorf("writing the identity: %w", err)
	}
	return i, nil
}

func (a Authority) enroll(ctx context.Context, who Applicant, id identity.NodeID) (*identity.Identity, error) {
	req := request{Applicant: who}
	key, err := newRequest(id, &req.CSR)
	if err != nil {
		return nil, err
	}
	var signing crypto.Signer
	if id.Type() == identity.RegistryNode {
		if signing, err = newRequest(id, &req.SigningCSR); err != nil {
			return nil, err
		}
	}
	g, err := do(ctx, a, routeEnroll, req, enrolOffline)
	if err != nil {
		return nil, err
	}
	return g.identity(id, key, signing)
}

// enrolOffline has the certificates made.
func enrolOffline(ctx context.Context, ca *pki.CA, r request) (grant, error) {
	e, err := ca.EnrollOffline(ctx, r.Network, r.Service, r.Node, r.CSR, r.SigningCSR)
	return grant{e, ca.URL()}, err
}

// newRequest makes a key and stores its certificate request in csr.
func newRequest(id identity.NodeID, csr *[]byte) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	uri, err := url.Parse(id.String())
	if err != nil {
		return nil, fmt.Errorf("preparing a certificate request: %w", err)
	}
	*csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{uri}}, key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return key, nil
}

// identity puts together what was granted; signing is nil for all but
// registries. The folder that it is written to checks that it fits.
func (g grant) identity(id identity.NodeID, key, signing crypto.Signer) (*identity.Identity, error) {
	bundle, err := identity.NewBundle(g.BundleDocument)
	if err != nil {
		return nil, err
	}
	td := id.TrustDomain()
	i := &identity.Identity{
		Document: identity.Document{
			ID: id, Network: td.Network(), Domain: td.Domain(), NID: bundle.NID(), Type: id.Type().String(),
			CA: g.CA, Registries: []identity.KnownRegistry{},
		},
		Bundle: bundle,
	}
	for _, r := range g.Registries {
		i.Document.Registries = append(i.Document.Registries, identity.KnownRegistry{Registry: r.Registry, Addresses: r.Addresses})
	}
	if i.Credential, err = credential(key, g.Certificate); err != nil || signing == nil {
		return i, err
	}
	i.Signing, err = credential(signing, g.SigningCertificate)
	return i, err
}

func credential(key crypto.Signer, chain [][]byte) (*identity.Credential, error) {
	leaf, issuer, err := identity.ParsePair(chain)
	if err != nil {
		return nil, err
	}
	return identity.NewCredential(key, leaf, issuer)
}
