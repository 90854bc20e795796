package enroll

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/neurons-me/netget/identity"
)

// Bundle fetches the trust bundle from the authority of src and returns it
// without putting it in force. It must be of the network that src is pinned to
// (else [identity.WrongNetwork]), with every hand-over, and must have every
// root that src knows (else [identity.Rollback]). Of each revocation list the
// newer one, of src or of the authority, is in it.
func Bundle(ctx context.Context, src *identity.Source, now func() time.Time) (*identity.Bundle, error) {
	current := src.Identity()
	d, err := fetchBundle(ctx, current, now)
	if err != nil {
		return nil, err
	}
	return succeed(current.Bundle, d)
}

// Refresh is [Bundle] and puts the result in force, with the list of
// registries that came with it.
func Refresh(ctx context.Context, src *identity.Source, now func() time.Time) (*Result, error) {
	d, err := fetchBundle(ctx, src.Identity(), now)
	if err != nil {
		return nil, err
	}
	result := &Result{Registries: d.Registries}
	err = src.Update(func(current *identity.Identity) (next *identity.Identity, err error) {
		next, err = refreshed(current, d)
		result.Identity = next
		return next, err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func fetchBundle(ctx context.Context, i *identity.Identity, now func() time.Time) (d identity.BundleDocument, err error) {
	err = ask(ctx, i, now, http.MethodGet, "/v1/bundle", nil, http.StatusOK, &d)
	return d, err
}

// refreshed returns a copy of current with a later bundle.
func refreshed(current *identity.Identity, d identity.BundleDocument) (*identity.Identity, error) {
	b, err := succeed(current.Bundle, d)
	if err != nil {
		return nil, err
	}
	next := *current
	next.Bundle = b
	next.Document.Registries, err = known(d.Registries)
	return &next, err
}

// succeed makes the bundle that may follow old.
func succeed(old *identity.Bundle, d identity.BundleDocument) (*identity.Bundle, error) {
	b, err := identity.NewBundle(d)
	if err != nil {
		return nil, err
	}
	if b.NID() != old.NID() || b.TrustDomain() != old.TrustDomain() {
		return nil, identity.Refuse(identity.WrongNetwork, "a bundle of %s (%s), not of %s (%s)", b.TrustDomain(), b.NID(), old.TrustDomain(), old.NID())
	}
	roots := b.Roots()
	for i, root := range old.Roots() {
		if i >= len(roots) || !roots[i].Equal(root) {
			return nil, identity.Refuse(identity.Rollback, "the bundle lacks a root of the network that was known before")
		}
	}
	return withCRLs(b, old.CRLs())
}

// withCRLs adds the lists known before, of authorities that still count.
func withCRLs(b *identity.Bundle, known []*identity.CRL) (*identity.Bundle, error) {
	authorities := map[identity.Hash]bool{}
	for _, cert := range slices.Concat(b.Roots(), b.Issuers()) {
		authorities[identity.SPKIHash(cert)] = true
	}
	var ders [][]byte
	for _, crl := range known {
		if authorities[crl.Issuer()] {
			ders = append(ders, crl.Raw())
		}
	}
	if len(ders) == 0 {
		return b, nil
	}
	return b.With(ders)
}
