package catalog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/neurons-me/netget/identity"
)

// How long a store may take, and how long the committer insists before it tells
// those who wait.
const (
	storeTimeout = 5 * time.Second
	insistFor    = 2 * time.Second
	firstPause   = 20 * time.Millisecond
	retryEvery   = time.Second
)

// storeContext bounds a call to the store. The end of the program does not
// interrupt it: that would leave its outcome unknown.
func storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// storeResult notes that the store answered, or did not.
func (c *Catalog) storeResult(err error) error {
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNoVersion) {
		c.stats.storeErrors.Add(1)
		return err
	}
	c.storeOK = c.now()
	c.stats.storeOK.Store(c.storeOK.Unix())
	return err
}

// storeAttrs tells the operator what is wrong with the store and, if it is known,
// what to do about it.
func storeAttrs(err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("reason", err.Error())}
	if known, ok := errors.AsType[hinter](err); ok {
		attrs = append(attrs, slog.String("hint", known.Hint()))
	}
	return attrs
}

// hinter is an error of a store that knows what a person can do about it.
type hinter interface {
	error
	Hint() string
}

// commit makes p durable and installs it. If the store fails, p stays in doubt,
// whoever waits for it is told, and no other version is made before it is
// settled. Only [*DivergedError] is returned.
func (c *Catalog) commit(ctx context.Context, p *pending) error {
	start := time.Now()
	err := c.insist(ctx, p)
	c.stats.commitMicros.Add(time.Since(start).Microseconds())
	if err == nil {
		c.install(ctx, p)
		return nil
	}
	for i, m := range p.moves {
		if m.entry != nil {
			m.entry.answer(nil, identity.Refuse(identity.Unavailable, "the store does not answer"))
			p.moves[i].entry = nil
		}
	}
	if errors.Is(err, ErrConflict) {
		return err
	}
	c.log.LogAttrs(ctx, slog.LevelError, "store failed", append(storeAttrs(err), slog.Int64("version", p.batch.Version.Version))...)
	c.setDoubt(p)
	return nil
}

// settle asks again about a version in doubt, when it is time to.
func (c *Catalog) settle(ctx context.Context) error {
	p := c.doubt
	if p == nil {
		return nil
	}
	if wait := c.retryAt.Sub(c.now()); wait > 0 && wait <= retryEvery { // more: the clock was set back
		return nil
	}
	if err := c.try(ctx, p); errors.Is(err, ErrConflict) {
		return err
	} else if err != nil {
		c.retryAt = c.now().Add(retryEvery)
		return nil //nolint:nilerr // the next round asks again
	}
	c.setDoubt(nil)
	c.log.LogAttrs(ctx, slog.LevelInfo, "store is back", slog.Int64("version", p.batch.Version.Version))
	c.install(ctx, p)
	return nil
}

func (c *Catalog) setDoubt(p *pending) {
	c.doubt = p
	c.stats.doubt.Store(p != nil)
	c.retryAt = c.now().Add(retryEvery)
}

// insist tries until p is durable, or for a while.
func (c *Catalog) insist(ctx context.Context, p *pending) error {
	deadline := time.Now().Add(insistFor)
	for wait := firstPause; ; wait *= 4 {
		err := c.try(ctx, p)
		if err == nil || errors.Is(err, ErrConflict) || time.Now().Add(wait).After(deadline) {
			return err
		}
		pause(ctx, wait)
	}
}

// try commits p once. What was tried before may have happened although we heard
// of a failure, and may even happen while we ask: so it reads back first, and
// takes a conflict for a success if the version there is the very same.
func (c *Catalog) try(ctx context.Context, p *pending) error {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	if p.tried {
		err := c.readBack(ctx, p)
		if !errors.Is(err, ErrNoVersion) {
			return err
		}
	}
	p.tried = true
	err := c.storeResult(c.store.Commit(ctx, p.batch))
	if !errors.Is(err, ErrConflict) {
		return err
	}
	return c.readBack(ctx, p)
}

// readBack returns nil if the store holds p, ErrNoVersion if it does not, a
// [*DivergedError] if it holds another version in its place.
func (c *Catalog) readBack(ctx context.Context, p *pending) error {
	v, err := c.store.Version(ctx, p.batch.Version.Version)
	if err := c.storeResult(err); err != nil {
		return err
	}
	if !bytes.Equal(v.Leaf, p.batch.Leaf) || !bytes.Equal(v.Changes, p.batch.Changes) {
		return &DivergedError{p.batch.Version.Version}
	}
	return nil
}

// version returns leaf and change list of a version up to that of s.
func (c *Catalog) version(ctx context.Context, s *Snapshot, version int64) (leaf, changes []byte, err error) {
	if version == s.head.Version {
		return s.state.leaf, s.state.changes, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	v, err := c.store.Version(ctx, version)
	if errors.Is(err, ErrNoVersion) {
		return nil, nil, identity.Refuse(identity.Gone, "version %d is not kept any more", version)
	}
	if err != nil {
		return nil, nil, identity.Refuse(identity.Unavailable, "reading version %d: %w", version, err)
	}
	return v.Leaf, v.Changes, nil
}
