package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
)

// The audit log: one entry for everything that changed a node's state, or was
// refused. Remote parties are told the class alone; why stands here.

// A diary is where the entries go, and what it takes to see that two processes
// use one identity.
type diary struct {
	log    *slog.Logger
	actors *audit.Budgets

	mu     sync.Mutex
	raised map[identity.NodeID]identity.Hash // the record that was listed before the epoch rose; guarded by mu
}

// write adds what all entries of the catalog have.
func (c *Catalog) write(ctx context.Context, e audit.Entry) {
	e.Time, e.Network = c.now(), c.bundle().TrustDomain().Network()
	e.Write(ctx, c.diary.log)
}

// writeBounded is [Catalog.write] for what an actor can cause as often as it
// likes.
func (c *Catalog) writeBounded(ctx context.Context, e audit.Entry) {
	leftOut, ok := c.diary.actors.Spend(e.Actor, c.now())
	if !ok {
		return
	}
	e.LeftOut = leftOut
	c.write(ctx, e)
}

func (c *Catalog) auditRefusal(ctx context.Context, actor identity.NodeID, rid identity.Hash, err error) {
	c.stats.refused.Add(1)
	c.writeBounded(ctx, audit.Entry{Event: audit.StatementRefused, Actor: actor.String(), RID: text(rid), Code: identity.CodeOf(err), Reason: audit.Reason(err)})
}

// auditBeat notes a heartbeat that no honest node sends. That another record is
// the state, or none, is how nodes learn it, and no entry; but see
// [diary.isShared].
func (c *Catalog) auditBeat(ctx context.Context, actor identity.NodeID, rid identity.Hash, err error) {
	switch code := identity.CodeOf(err); code { //nolint:exhaustive // the other classes are not those of a heartbeat
	case identity.BadSignature, identity.Limits, identity.BadTime:
		c.writeBounded(ctx, audit.Entry{Event: audit.HeartbeatRefused, Actor: actor.String(), Node: actor.String(), RID: text(rid), Code: code, Reason: audit.Reason(err)})
	case identity.Superseded:
		if c.diary.isShared(actor, rid) {
			c.write(ctx, audit.Entry{
				Event: audit.IdentityShared, Actor: actor.String(), Node: actor.String(), RID: text(rid), Code: code,
				Reason: "the heart of a record beats on after another process, as it seems, has registered in a later epoch",
			})
		}
	}
}

func (c *Catalog) auditSame(ctx context.Context, e *entry) {
	c.stats.repeated.Add(1)
	c.writeBounded(ctx, audit.Entry{Event: audit.Repeated, Actor: e.actor.String(), Node: e.statement.Node().String(), RID: text(e.statement.RID())})
}

func (c *Catalog) auditMove(ctx context.Context, m move, version int64) {
	e := audit.Entry{Actor: c.id().String(), Node: m.node.String(), RID: text(m.next.state.RID()), Reason: string(m.reason), Version: version}
	if m.entry != nil {
		e.Actor = m.entry.actor.String()
	}
	switch m.reason {
	case discovery.ReasonPut:
		c.stats.registered.Add(1)
		e.Event = audit.Registered
	case discovery.ReasonTombstone:
		c.stats.tombstones.Add(1)
		e.Event = audit.Tombstoned
	case discovery.ReasonOperator:
		c.stats.tombstones.Add(1)
		e.Event = audit.OperatorTombstone
	case discovery.ReasonExpired:
		c.stats.expired.Add(1)
		e.Event = audit.Expired
	case discovery.ReasonRevoked:
		c.stats.revoked.Add(1)
		e.Event = audit.Revoked
	case discovery.ReasonStatus: // the health watch counts its own
		e.Event = audit.StatusChanged
		e.Reason = fmt.Sprintf("%s to %s, %s: %s", m.old.status, m.next.status, m.wish.Reason, m.wish.Evidence)
	}
	c.diary.follow(m)
	c.write(ctx, e)
}

// equivocation reports that a node signed two statements for one place.
func (c *Catalog) equivocation(ctx context.Context, p *place) {
	c.stats.equivocations.Add(1)
	c.write(ctx, audit.Entry{
		Event: audit.Equivocation, Actor: p.state.Certificate().ID().String(), Node: p.state.Node().String(), RID: text(p.state.RID()),
		Code: identity.Equivocation, Reason: "node equivocates: the other statement of this epoch and sequence is " + text(p.evidence.RID()),
	})
}

// follow remembers which record a later epoch has replaced. A node that was
// started anew never again beats the heart of its old record.
func (d *diary) follow(m move) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.raised, m.node)
	if m.reason == discovery.ReasonPut && m.old != nil && m.old.listed && m.next.state.Epoch() > m.old.state.Epoch() {
		d.raised[m.node] = m.old.state.RID()
	}
}

// isShared reports, once for each rise of the epoch, that a record lives on which
// a later epoch has replaced: two processes use the identity.
func (d *diary) isShared(node identity.NodeID, rid identity.Hash) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if before, ok := d.raised[node]; !ok || before != rid {
		return false
	}
	delete(d.raised, node)
	return true
}

func text(rid identity.Hash) string {
	if rid.IsZero() {
		return ""
	}
	return rid.String()
}
