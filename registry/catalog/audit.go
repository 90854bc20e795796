package catalog

import (
	"context"
	"log/slog"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// The audit log: one entry for everything that changed a node's state, or was
// refused. Remote parties are told the class alone; why stands here.

func (c *Catalog) auditRefusal(ctx context.Context, actor identity.NodeID, rid identity.Hash, err error) {
	c.stats.refused.Add(1)
	attrs := []slog.Attr{slog.String("actor", actor.String()), slog.String("class", string(identity.CodeOf(err))), slog.String("reason", err.Error())}
	if !rid.IsZero() {
		attrs = append(attrs, slog.String("rid", rid.String()))
	}
	c.log.LogAttrs(ctx, slog.LevelWarn, "statement refused", attrs...)
}

func (c *Catalog) auditBeat(ctx context.Context, actor identity.NodeID, rid identity.Hash, err error) {
	c.log.LogAttrs(ctx, slog.LevelDebug, "heartbeat refused", slog.String("actor", actor.String()), slog.String("rid", rid.String()), slog.String("reason", err.Error()))
}

func (c *Catalog) auditSame(ctx context.Context, e *entry) {
	c.stats.repeated.Add(1)
	c.log.LogAttrs(ctx, slog.LevelInfo, "statement was known", slog.String("actor", e.actor.String()),
		slog.String("node", e.statement.Node().String()), slog.String("rid", e.statement.RID().String()))
}

func (c *Catalog) auditMove(ctx context.Context, m move, version int64) {
	actor := c.id()
	if m.entry != nil {
		actor = m.entry.actor
	}
	switch m.reason {
	case discovery.ReasonPut:
		c.stats.registered.Add(1)
	case discovery.ReasonTombstone, discovery.ReasonOperator:
		c.stats.tombstones.Add(1)
	case discovery.ReasonExpired:
		c.stats.expired.Add(1)
	case discovery.ReasonRevoked:
		c.stats.revoked.Add(1)
	case discovery.ReasonStatus: // the health watch counts its own
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, "node changed", slog.String("actor", actor.String()), slog.String("node", m.node.String()),
		slog.String("rid", m.next.state.RID().String()), slog.String("reason", string(m.reason)), slog.Int64("version", version))
}

// equivocation reports that a node signed two statements for one place.
func (c *Catalog) equivocation(ctx context.Context, p *place) {
	c.stats.equivocations.Add(1)
	c.log.LogAttrs(ctx, slog.LevelWarn, "node equivocates", slog.String("node", p.state.Node().String()),
		slog.Int64("epoch", p.state.Epoch()), slog.Int64("sequence", p.state.Sequence()),
		slog.String("rid", p.state.RID().String()), slog.String("other", p.evidence.RID().String()))
}
