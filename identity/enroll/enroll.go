package enroll

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A Config says what to enrol and where to keep it.
type Config struct {
	Token   Token
	Folder  *identity.Folder
	Force   bool             // replace an identity that the folder holds
	Ed25519 bool             // keys of Ed25519 instead of ECDSA P-256
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: none
}

// Enroll spends the token: it makes new keys, has them certified and writes
// the identity folder once everything in the reply was checked.
//
// Before anything is sent it returns [ErrTokenExpired] for a token that is
// over, [identity.ErrIdentityExists] for a folder that holds an identity
// (unless Force), and the reason why the folder cannot be written. Later
// errors: [*identity.ProblemError] for what the authority refused, the class of what
// our own checks refused, and failures of the network.
func Enroll(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	release, err := takeRoom(cfg.Folder.Dir())
	if err != nil {
		return nil, err
	}
	defer release()
	trusted, err := bootstrap(ctx, cfg.Token)
	if err != nil {
		return nil, err
	}
	result, err := cfg.exchange(ctx, trusted)
	if err != nil {
		return nil, err
	}
	release()
	if err := cfg.Folder.Create(result.Identity, cfg.Force); err != nil {
		return nil, fmt.Errorf("writing the identity: %w", err)
	}
	cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "enrolled", slog.String("id", cfg.Token.id.String()), slog.String("folder", cfg.Folder.Dir()))
	return result, nil
}

// check finds what would make spending the token pointless.
func (cfg *Config) check() error {
	if cfg.Token.id.IsZero() || cfg.Folder == nil {
		return identity.Refuse(identity.Malformed, "enrolling needs a join token and a folder")
	}
	if end := cfg.Token.expires; !cfg.Now().Before(end) {
		return identity.Refuse(identity.BadTime, "%w at %s", ErrTokenExpired, end.Format(time.RFC3339))
	}
	if cfg.Folder.Exists() && !cfg.Force {
		return fmt.Errorf("%s: %w", cfg.Folder.Dir(), identity.ErrIdentityExists)
	}
	return nil
}

// exchange sends the token over a connection that trusted has verified, and
// checks the reply.
func (cfg *Config) exchange(ctx context.Context, trusted *identity.Bundle) (*Result, error) {
	id := cfg.Token.id
	k, err := newKeys(id.Type() == identity.RegistryNode, cfg.Ed25519)
	if err != nil {
		return nil, err
	}
	req, err := k.request(id)
	if err != nil {
		return nil, err
	}
	req.Token = cfg.Token.text
	body, err := call{
		tls:    identity.AuthorityTLS(trusted, noCredential, cfg.Now),
		method: http.MethodPost, url: cfg.Token.ca + "/v1/enroll", body: req, status: http.StatusCreated,
	}.do(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.accept(body, k)
}

// accept makes the identity of a reply to the token.
func (cfg *Config) accept(body []byte, k keys) (*Result, error) {
	var r reply
	if err := identity.UnmarshalStrict(body, &r); err != nil {
		return nil, err
	}
	id := cfg.Token.id
	b, err := bundleOf(r.BundleDocument)
	if err != nil {
		return nil, err
	}
	if b.TrustDomain() != id.TrustDomain() {
		return nil, identity.Refuse(identity.WrongNetwork, "the authority answered for %s, not for %s", b.TrustDomain(), id.TrustDomain())
	}
	// The first root alone gives a network its name. Any other can be claimed by
	// a hand-over, for which nobody needs that root's key.
	if identity.Thumbprint(b.Roots()[0]) != cfg.Token.root {
		return nil, identity.Refuse(identity.WrongNetwork, "the bundle does not begin with the root that the join token names")
	}
	node, signing, err := r.credentials(b, k, id, nil, cfg.Now())
	if err != nil {
		return nil, err
	}
	registries, err := known(r.Registries)
	if err != nil {
		return nil, err
	}
	td := id.TrustDomain()
	return &Result{
		Identity: &identity.Identity{
			Document: identity.Document{
				ID: id, Network: td.Network(), Domain: td.Domain(), NID: b.NID(), Type: id.Type().String(),
				CA: cfg.Token.ca, Registries: registries,
			},
			Credential: node, Signing: signing, Bundle: b,
		},
		Registries: r.Registries,
	}, nil
}

func noCredential() *identity.Credential { return nil }
