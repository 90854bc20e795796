package enroll

import (
	"context"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
)

// Bundle fetches the trust bundle from the authority of src and returns it
// without putting it in force. It must be of the network that src is pinned to
// (else [identity.WrongNetwork]), with every hand-over, and must have every
// root that src knows (else [identity.Rollback]). In it are the issuers that src
// knows and that have not ended, and of each revocation list the newer one, of
// src or of the authority.
func Bundle(ctx context.Context, src *identity.Source, now func() time.Time) (*identity.Bundle, error) {
	current := src.Identity()
	d, err := fetchBundle(ctx, current, now)
	if err != nil {
		return nil, err
	}
	return succeed(current.Bundle, d, now())
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
		next, err = refreshed(current, d, now())
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
func refreshed(current *identity.Identity, d identity.BundleDocument, now time.Time) (*identity.Identity, error) {
	b, err := succeed(current.Bundle, d, now)
	if err != nil {
		return nil, err
	}
	next := *current
	next.Bundle = b
	next.Document.Registries, err = known(d.Registries)
	return &next, err
}

// bundleOf makes the bundle of an authority's reply.
func bundleOf(d identity.BundleDocument) (*identity.Bundle, error) {
	if err := d.CheckLists(); err != nil {
		return nil, err
	}
	if len(d.Issuers) == 0 {
		return nil, identity.Refuse(identity.Malformed, "the authority's bundle names no issuer")
	}
	return identity.NewBundle(d)
}

// succeed makes the bundle that may follow old at now.
func succeed(old *identity.Bundle, d identity.BundleDocument, now time.Time) (*identity.Bundle, error) {
	b, err := bundleOf(d)
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
	return carryOver(b, old, now)
}

// carryOver adds what old knows and the authority has left out: issuers until
// they end, because a root's signature is not taken back by silence, and newer
// revocation lists. So nothing that is revoked comes back.
func carryOver(b, old *identity.Bundle, now time.Time) (*identity.Bundle, error) {
	var issuers, crls [][]byte
	for _, issuer := range old.Issuers() {
		if !now.After(issuer.NotAfter.Add(identity.ClockSkew)) {
			issuers = append(issuers, issuer.Raw)
		}
	}
	for _, crl := range old.CRLs() {
		crls = append(crls, crl.Raw())
	}
	return b.Merge(issuers, crls)
}
