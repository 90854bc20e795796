package identity

import (
	"crypto/x509"
	"slices"
)

// Merge returns the bundle with what somebody else knows of the network: issuers
// that one of its own roots has signed, and revocation lists of its authorities,
// of which the newer of each counts. What proves nothing is left out, so that
// one entry nobody can judge does not keep the others away. More entries than a
// network has authorities are [Limits]: each costs a signature to judge.
func (b *Bundle) Merge(issuers, crls [][]byte) (*Bundle, error) {
	if len(issuers) > maxIssuers || len(crls) > maxAuthorities {
		return nil, Refuse(Limits, "%d issuers and %d revocation lists, more than a network has", len(issuers), len(crls))
	}
	d := b.Document()
	d.Registries = slices.Clone(b.registries)
	for _, der := range issuers {
		issuer, err := parseAuthority(der)
		if err != nil || len(d.Issuers) >= maxIssuers || slices.ContainsFunc(b.issuers, func(have *x509.Certificate) bool { return have.Equal(issuer) }) {
			continue
		}
		if b.rootOf(issuer) != nil {
			d.Issuers = append(d.Issuers, der)
		}
	}
	wider, err := NewBundle(d)
	if err != nil {
		return nil, err
	}
	for _, der := range crls {
		if _, err := wider.parseCRL(der); err == nil {
			d.CRLs = append(d.CRLs, der)
		}
	}
	return NewBundle(d)
}
