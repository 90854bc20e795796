package enroll

import (
	"crypto"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A Result is what the authority gave, after all of it was checked.
type Result struct {
	Identity *identity.Identity
	// Registries are the network's, each with how far the authority has seen
	// its log: marks for whoever has none of its own.
	Registries []identity.RegistryEntry
}

// A reply is what enrolment and renewal answer: certificates, each with its
// issuer, beside the members of the trust bundle.
type reply struct {
	Certificate        [][]byte `json:"certificate"`
	SigningCertificate [][]byte `json:"signingCertificate"`
	identity.BundleDocument
}

// credential checks that a chain is for key, of id, good for use, in time and
// not revoked.
func credential(b *identity.Bundle, chain [][]byte, key crypto.Signer, id identity.NodeID, use identity.Usage, now time.Time) (*identity.Credential, error) {
	leaf, issuer, err := identity.ParsePair(chain)
	if err != nil {
		return nil, err
	}
	cred, err := identity.NewCredential(key, leaf, issuer)
	if err != nil {
		return nil, err
	}
	cert, err := b.Verify(leaf, issuer, use)
	if err != nil {
		return nil, err
	}
	if cert.ID() != id {
		return nil, identity.Refuse(identity.Binding, "the authority issued a certificate of %s, not of %s", cert.ID(), id)
	}
	if err := cert.CheckTime(now); err != nil {
		return nil, err
	}
	if err := b.CheckRevoked(cert); err != nil {
		return nil, err
	}
	return cred, nil
}

// credentials checks the reply's certificates; without a signing key old
// remains the signing credential.
func (r *reply) credentials(b *identity.Bundle, k keys, id identity.NodeID, old *identity.Credential, now time.Time) (node, signing *identity.Credential, err error) {
	use := identity.ClientUse
	if t := id.Type(); t == identity.ServiceNode || t == identity.RegistryNode {
		use = identity.ServerUse
	}
	if node, err = credential(b, r.Certificate, k.node, id, use, now); err != nil {
		return nil, nil, err
	}
	if k.signing == nil {
		return node, old, nil
	}
	signing, err = credential(b, r.SigningCertificate, k.signing, id, identity.SigningUse, now)
	return node, signing, err
}

// known returns the list of registries in the form of identity.json.
func known(entries []identity.RegistryEntry) ([]identity.KnownRegistry, error) {
	list := make([]identity.KnownRegistry, 0, len(entries))
	for _, e := range entries {
		for _, a := range e.Addresses {
			if err := checkURL(a); err != nil {
				return nil, err
			}
		}
		list = append(list, identity.KnownRegistry{Registry: e.Registry, Addresses: append([]string{}, e.Addresses...)})
	}
	return list, nil
}
