package catalog

import (
	"context"
	"log/slog"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// expire removes the records that are over.
func (c *Catalog) expire(b *builder) {
	for !b.full() {
		x, ok := c.expiries.due(b.now)
		if !ok {
			return
		}
		p := c.places.get(x.node)
		if p == nil || !p.listed || p.state.RID() != x.rid {
			continue // replaced or removed meanwhile
		}
		if !b.touched(x.node) {
			b.remove(p, discovery.ReasonExpired)
		}
	}
}

// revoke follows a new bundle: listed records whose certificate is on one of its
// lists go, and what a revoked operator has hidden comes back.
func (c *Catalog) revoke(ctx context.Context, b *builder, bundle *identity.Bundle) {
	if bundle == c.judged {
		return
	}
	for _, p := range c.places.byNode { // only the committer changes it
		if b.full() {
			return // the next version goes on
		}
		switch {
		case p.listed:
			if bundle.CheckRevoked(p.state.Certificate()) != nil {
				b.remove(p, discovery.ReasonRevoked)
			}
		case p.state.ByOperator():
			c.uncover(ctx, b, bundle, p)
		}
	}
	c.judged = bundle
}

// uncover lists again what a revoked operator has removed.
func (c *Catalog) uncover(ctx context.Context, b *builder, bundle *identity.Bundle, p *place) {
	back := inOrder(p, bundle)
	if back == p || back == nil || back.state.IsTombstone() || checkAgain(b, bundle, back.state) != nil {
		return
	}
	if err := b.put(p, back, nil); err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "record not listed again", slog.String("node", back.state.Node().String()), slog.String("reason", err.Error()))
	}
}
