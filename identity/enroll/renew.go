package enroll

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
)

// ErrNoAuthority says that an identity does not know its authority's URL.
var ErrNoAuthority = errors.New("the identity names no certificate authority")

// Renew has new keys certified for the identity of src, which proves itself by
// its present certificate, and puts the result in force. A registry's signing
// certificate is renewed with it once that is past half of its life. The
// network may not change: see [Bundle] for what its bundle must be. Errors are
// those of [Enroll], after which src is as it was.
func Renew(ctx context.Context, src *identity.Source, now func() time.Time) (*Result, error) {
	current := src.Identity()
	signing := current.Signing != nil && !now().Before(halfLife(current.Signing))
	k, err := renewalKeys(current, signing)
	if err != nil {
		return nil, err
	}
	req, err := k.request(current.ID())
	if err != nil {
		return nil, err
	}
	var r reply
	if err := ask(ctx, current, now, http.MethodPost, "/v1/renew", req, http.StatusCreated, &r); err != nil {
		return nil, err
	}
	return accept(src, &r, k, now())
}

// renewalKeys makes keys of the kinds that are in use.
func renewalKeys(current *identity.Identity, signing bool) (k keys, err error) {
	if k.node, err = newKey(isEdwards(current.Credential)); err != nil {
		return keys{}, err
	}
	if signing {
		k.signing, err = newKey(isEdwards(current.Signing))
	}
	return k, err
}

// accept checks the reply to a renewal and puts it in force.
func accept(src *identity.Source, r *reply, k keys, now time.Time) (*Result, error) {
	result := &Result{Registries: r.Registries}
	err := src.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next, err := refreshed(current, r.BundleDocument, now)
		if err != nil {
			return nil, err
		}
		next.Credential, next.Signing, err = r.credentials(next.Bundle, k, current.ID(), current.Signing, now)
		result.Identity = next
		return next, err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// ask calls the authority of an identity and decodes its reply. Only renewals
// show a certificate; nothing else needs to know who asks.
func ask(ctx context.Context, i *identity.Identity, now func() time.Time, method, path string, body any, status int, into any) error {
	if i.Document.CA == "" {
		return ErrNoAuthority
	}
	if err := checkURL(i.Document.CA); err != nil {
		return err
	}
	show := noCredential
	if method == http.MethodPost {
		show = func() *identity.Credential { return i.Credential }
	}
	text, err := call{
		tls:    identity.AuthorityTLS(i.Bundle, show, now),
		method: method, url: i.Document.CA + path, body: body, status: status,
	}.do(ctx)
	if err != nil {
		return err
	}
	return identity.UnmarshalStrict(text, into)
}
