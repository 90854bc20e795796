package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	// DefaultMaxStale is for how long a client goes on with its last verified
	// answer while no registry answers.
	DefaultMaxStale = 15 * time.Minute

	listInterval = time.Minute // between two looks at the authority's list
	straggle     = time.Second // what slower registries get once enough have answered
)

// ErrNoRegistry says that a client has no address to ask.
var ErrNoRegistry = errors.New("no registry is known")

// A Config says who asks, whom, and what it remembers.
type Config struct {
	Source *identity.Source
	Marks  *Marks
	// Addresses are asked instead of those of the identity, when not empty.
	Addresses []string
	// MinRegistries is how many registries must answer; 0 means 1. Two or more
	// keep a single lying registry from hiding what another shows.
	MinRegistries int
	// MaxStale bounds how long the last verified answer serves while no
	// registry answers; 0 forbids it.
	MaxStale time.Duration
	// UpdateList asks the authority for the network's registries and puts
	// them into Source; nil: the list stays as it is.
	UpdateList func(context.Context) error
	// KeepDocuments keeps each answer as it was sent, see [Answered].
	KeepDocuments bool
	Now           func() time.Time
	Logger        *slog.Logger
}

// A Client asks the registries of its network and verifies what they say. It
// is safe for concurrent use.
type Client struct {
	cfg Config

	mu         sync.Mutex
	remotes    []*Remote                         // guarded by mu
	crlsMarked bool                              // whether the lists of the opener's bundle are among the marks; guarded by mu
	opener     *Opener                           // for the bundle in force; guarded by mu
	views      map[viewKey]*View                 // last view of a service by registry; guarded by mu
	last       map[string]*Found                 // last union of a service; guarded by mu
	listed     time.Time                         // when the authority was last asked; guarded by mu
	crlsSeen   map[identity.NodeID]identity.Hash // value of "crls" for which the bundle of a registry was taken; guarded by mu
	behind     map[identity.NodeID]time.Time     // since when a registry is below our mark; guarded by mu
	apart      map[divergence]time.Time          // since when registries disagree; guarded by mu
}

type viewKey struct{ url, service string }

// NewClient checks cfg and makes a client. It does no I/O.
func NewClient(cfg Config) (*Client, error) {
	if cfg.Source == nil || cfg.Marks == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("a client needs a source, marks, a clock and a logger")
	}
	c := &Client{
		cfg: cfg, views: map[viewKey]*View{}, crlsSeen: map[identity.NodeID]identity.Hash{}, last: map[string]*Found{},
		behind: map[identity.NodeID]time.Time{}, apart: map[divergence]time.Time{},
	}
	addresses := cfg.Addresses
	if len(addresses) == 0 {
		addresses = addressesOf(cfg.Source.Identity())
	}
	for _, address := range addresses {
		if err := c.Add(address); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func addressesOf(i *identity.Identity) []string {
	var addresses []string
	for _, r := range i.Document.Registries {
		addresses = append(addresses, r.Addresses...)
	}
	return addresses
}

// Add adds a registry's address; one that is there already stays as it is.
func (c *Client) Add(address string) error {
	r, err := NewRemote(address, c.cfg.Source, c.cfg.Now)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.remotes, func(have *Remote) bool { return have.URL() == r.URL() }) {
		c.remotes = append(c.remotes, r)
	}
	return nil
}

// Remove removes a registry's address; ok is false if it was not there.
func (c *Client) Remove(address string) (ok bool, err error) {
	address, err = ParseAddress(address)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remotes = slices.DeleteFunc(c.remotes, func(r *Remote) bool {
		if r.URL() != address {
			return false
		}
		r.Close()
		ok = true
		return true
	})
	return ok, nil
}

// Remotes returns the addresses that are asked.
func (c *Client) Remotes() []*Remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.remotes)
}

// Close closes idle connections.
func (c *Client) Close() {
	for _, r := range c.Remotes() {
		r.Close()
	}
}

// An Answered says which registry answered, at which version.
type Answered struct {
	URL      string
	Registry identity.NodeID
	Head     Head
	Date     time.Time // its clock, to the second; zero where it was not asked for
	Document []byte    // the answer as it was sent, where documents are kept
}

// A RegistryError is why one address gave no answer that could be used.
type RegistryError struct {
	URL string
	Err error
}

// Error returns "URL: reason".
func (e *RegistryError) Error() string { return e.URL + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *RegistryError) Unwrap() error { return e.Err }

// An answer is what a registry has signed a head for.
type answer interface{ signed() Head }

func (a Answered) signed() Head { return a.Head }

// each asks all addresses at once, and once more those that the authority names
// meanwhile, if no registry answers.
func each[T answer](ctx context.Context, c *Client, ask func(context.Context, *Remote) (T, error)) ([]T, []*RegistryError, error) {
	remotes, err := c.Locate(ctx)
	if err != nil {
		return nil, nil, err
	}
	values, errs, err := eachOf(ctx, c, remotes, ask)
	if len(values) == 0 && !slices.ContainsFunc(errs, isAnswered) && ctx.Err() == nil && c.updateList(ctx) == nil {
		if again := c.Remotes(); !slices.Equal(again, remotes) {
			return eachOf(ctx, c, again, ask)
		}
	}
	return values, errs, err
}

// isAnswered reports whether somebody at the address has said something.
func isAnswered(e *RegistryError) bool {
	code := identity.CodeOf(e.Err)
	return code != "" && code != identity.Unavailable
}

// eachOf asks the given addresses at once. It returns when all have answered, or
// a little after enough have: registries count, not addresses, because one may
// answer at several. The values come in the order of the addresses.
func eachOf[T answer](ctx context.Context, c *Client, remotes []*Remote, ask func(context.Context, *Remote) (T, error)) ([]T, []*RegistryError, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		index int
		value T
		err   error
	}
	outcomes := make(chan outcome, len(remotes))
	for i, r := range remotes {
		go func() {
			value, err := ask(ctx, r)
			outcomes <- outcome{i, value, err}
		}()
	}
	got := make([]*outcome, len(remotes))
	var patience <-chan time.Time
	outOfPatience := false
	good := map[identity.NodeID]struct{}{}
	for n := 0; n < len(remotes); n++ {
		select {
		case o := <-outcomes:
			got[o.index] = &o
			if o.err == nil {
				good[o.value.signed().Registry] = struct{}{}
			}
		case <-patience:
			cancel() // the asks end now and report so
			patience, outOfPatience = nil, true
			n--
			continue
		}
		if len(good) >= max(1, c.cfg.MinRegistries) && patience == nil && !outOfPatience {
			timer := time.NewTimer(straggle)
			defer timer.Stop()
			patience = timer.C
		}
	}
	var values []T
	var errs []*RegistryError
	for i, o := range got {
		if o.err != nil {
			if outOfPatience && errors.Is(o.err, context.Canceled) {
				o.err = identity.Refuse(identity.Unavailable, "no answer within %s of the others'", straggle)
			}
			errs = append(errs, &RegistryError{remotes[i].URL(), o.err})
			continue
		}
		values = append(values, o.value)
	}
	return values, errs, enough(len(good), c.cfg.MinRegistries, errs)
}

// newest drops the answer of a registry that has answered at a later version at
// another address.
func newest[T answer](values []T) []T {
	latest := map[identity.NodeID]int64{}
	for _, v := range values {
		h := v.signed()
		latest[h.Registry] = max(latest[h.Registry], h.Version)
	}
	return slices.DeleteFunc(values, func(v T) bool { return v.signed().Version < latest[v.signed().Registry] })
}

// enough reports whether as many registries answered as were asked for.
func enough(answers, least int, errs []*RegistryError) error {
	if answers >= max(1, least) {
		return nil
	}
	all := make([]error, 0, len(errs))
	for _, e := range errs {
		all = append(all, e)
	}
	if answers > 0 {
		all = append(all, identity.Refuse(identity.Unavailable, "%d of %d registries answered", answers, least))
	}
	return errors.Join(all...)
}

// Locate returns the addresses, after a look at the authority's list when there
// are none. It returns [ErrNoRegistry] if there is none then either.
func (c *Client) Locate(ctx context.Context) ([]*Remote, error) {
	if remotes := c.Remotes(); len(remotes) != 0 {
		return remotes, nil
	}
	if err := c.updateList(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRegistry, err)
	}
	if remotes := c.Remotes(); len(remotes) != 0 {
		return remotes, nil
	}
	return nil, ErrNoRegistry
}

// updateList takes the network's registries from the authority, at most once
// a minute.
func (c *Client) updateList(ctx context.Context) error {
	if c.cfg.UpdateList == nil {
		return nil
	}
	c.mu.Lock()
	now := c.cfg.Now()
	tooSoon := !c.listed.IsZero() && now.Sub(c.listed) < listInterval
	if !tooSoon {
		c.listed = now
	}
	c.mu.Unlock()
	if tooSoon {
		return nil
	}
	if err := c.cfg.UpdateList(ctx); err != nil {
		return fmt.Errorf("asking the authority for the registries: %w", err)
	}
	if len(c.cfg.Addresses) != 0 {
		return nil // the caller chose the addresses; the list says who may answer there
	}
	for _, address := range addressesOf(c.cfg.Source.Identity()) {
		if err := c.Add(address); err != nil {
			return err
		}
	}
	return nil
}

// isListed reports whether the authority named a registry.
func (c *Client) isListed(id identity.NodeID) bool {
	return slices.ContainsFunc(c.cfg.Source.Identity().Document.Registries, func(r identity.KnownRegistry) bool { return r.Registry == id })
}

// openerNow returns the opener for the bundle in force.
func (c *Client) openerNow() *Opener {
	bundle := c.cfg.Source.Identity().Bundle
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opener == nil || c.opener.Bundle() != bundle {
		c.opener, c.crlsMarked = NewOpener(bundle), false
	}
	return c.opener
}

// markCRLs remembers the revocation lists under which an answer was accepted,
// and notes when they are older than those seen before.
func (c *Client) markCRLs(ctx context.Context, b *identity.Bundle) {
	c.mu.Lock()
	done := c.crlsMarked
	c.crlsMarked = true
	c.mu.Unlock()
	if done {
		return
	}
	back, err := c.cfg.Marks.takeCRLs(b)
	if err != nil {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "marks not written", slog.Any("error", err))
	}
	for _, issuer := range back {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "crl-rollback", slog.String("issuer", issuer.String()))
	}
}
