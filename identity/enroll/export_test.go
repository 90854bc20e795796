package enroll

import (
	"crypto"
	"time"

	"github.com/neurons-me/netget/identity"
)

// OpenRoot opens the reply with the root of a token.
func OpenRoot(t Token, body []byte) (*identity.Bundle, error) { return t.trust(body) }

// OpenReply opens the reply to a token for the given keys.
func OpenReply(t Token, body []byte, node, signing crypto.Signer, now time.Time) (*Result, error) {
	cfg := Config{Token: t, Now: func() time.Time { return now }}
	return cfg.accept(body, keys{node, signing})
}

// OpenRenewal opens the reply to a renewal and puts it in force.
func OpenRenewal(src *identity.Source, body []byte, node, signing crypto.Signer, now time.Time) (*Result, error) {
	var r reply
	if err := identity.UnmarshalStrict(body, &r); err != nil {
		return nil, err
	}
	return accept(src, &r, keys{node, signing}, now)
}

// OpenBundle opens a bundle that may follow old.
func OpenBundle(old *identity.Bundle, body []byte, now time.Time) (*identity.Bundle, error) {
	var d identity.BundleDocument
	if err := identity.UnmarshalStrict(body, &d); err != nil {
		return nil, err
	}
	return succeed(old, d, now)
}
