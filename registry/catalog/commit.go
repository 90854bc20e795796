package catalog

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// The protocol allows 200 versions a second, averaged over 10 s: a burst of
// versionBurst with versionRate ever after never makes more.
const (
	versionRate  = 150 // a second
	versionBurst = 499
)

// linger is how long the committer lets statements gather where it shares the
// one processor with everything else: the disk's sync would hold it.
const linger = time.Millisecond

// unkept is what changed of a node without making a version: evidence, a later
// iat. The next version carries it, or Keep.
type unkept struct {
	place   *place
	objects []Object
}

// cycle brings into versions all that waits: revocations, records that are over,
// changes of statuses, the statements given. An error ends the catalog.
func (c *Catalog) cycle(ctx context.Context, entries []*entry) error {
	c.carried = append(c.carried, entries...)
	if err := c.settle(ctx); err != nil {
		return err
	}
	for c.doubt == nil {
		if err := c.judgeMarks(); err != nil {
			return err
		}
		b, err := c.next(ctx)
		if err != nil {
			return err
		}
		if b.empty() {
			break
		}
		p, err := b.build()
		if err != nil {
			b.abandon()
			return err
		}
		if err := c.commit(ctx, p); err != nil {
			return err
		}
		if c.doubt != nil || len(c.pressing) > 0 {
			c.pace.Reserve() // the version after the next waits for it too
			continue
		}
		c.publish(ctx)
		c.keep(ctx)
		c.forget()
		c.breathe(ctx)
		c.carried = append(c.carried, c.queue.take()...)
	}
	c.refuseUnheard()
	c.inHand = nil
	c.refuseCarried()
	c.keep(ctx)
	c.resign(ctx)
	return nil
}

// next begins the next version: with what presses alone, or with all that waits.
func (c *Catalog) next(ctx context.Context) (*builder, error) {
	c.takeWishes()
	if len(c.pressing) > 0 {
		b := newBuilder(c.state, c.now().Unix(), c.state.head.CRLs)
		b.notice = c.state.head.Notice
		c.judge(b, c.pressing)
		if !b.empty() {
			return b, nil
		}
	}
	if c.shown != c.state { // a version that was in doubt, or of which what pressed is overtaken
		c.publish(ctx)
	}
	bundle := c.bundle()
	crls, err := bundle.CRLHash()
	if err != nil {
		return nil, err
	}
	b := newBuilder(c.state, c.now().Unix(), crls)
	if c.braked {
		b.notice = discovery.BrakeNotice
	}
	c.gather(ctx, b, bundle)
	return b, nil
}

// gather moves what can change into the next version. Entries of nodes that it
// changes already stay in carried.
func (c *Catalog) gather(ctx context.Context, b *builder, bundle *identity.Bundle) {
	c.revoke(ctx, b, bundle)
	c.expire(b)
	c.judge(b, c.wanted)
	c.inHand, c.carried = c.carried, nil
	for _, e := range c.inHand {
		if b.full() || b.touched(e.statement.Node()) {
			c.carried = append(c.carried, e)
			continue
		}
		c.consider(ctx, b, bundle, e)
	}
	for node := range b.moves { // their rows name this evidence from now on
		b.objects = append(b.objects, c.unkept[node].objects...)
	}
}

// consider applies the order rule to one entry: it becomes part of the version,
// or is answered.
func (c *Catalog) consider(ctx context.Context, b *builder, bundle *identity.Bundle, e *entry) {
	s := e.statement
	if err := checkAgain(b, bundle, s); err != nil {
		e.answer(nil, err)
		return
	}
	known := c.places.get(s.Node())
	base := inOrder(known, bundle)
	next, v, equivocates := base.next(s)
	if known != nil {
		next.iat = max(next.iat, known.iat)
	}
	news := equivocates && (base.evidence == nil || base.evidence.RID() != next.evidence.RID())
	switch v {
	case becomes:
		c.put(b, known, next, e)
	case same:
		// What a revoked operator had hidden is brought back by a version of its own.
		if base != known || !s.IsTombstone() && !known.listed {
			c.put(b, known, next, e)
			return
		}
		c.auditSame(ctx, e)
		e.answer(c.outcome(s, known.applied, false), nil)
	case superseded:
		if base.state == known.state && (news || next.iat != known.iat) {
			c.remember(b, next, s, news)
		}
		e.answer(nil, &SupersededError{base.state})
	}
	if news {
		c.equivocation(ctx, next)
	}
}

func (c *Catalog) put(b *builder, old, next *place, e *entry) {
	if err := b.put(old, next, e); err != nil {
		e.answer(nil, err)
	}
}

// checkAgain repeats what may have changed while the statement waited.
func checkAgain(b *builder, bundle *identity.Bundle, s *identity.Statement) error {
	if s.ExpiresAt() <= b.now {
		return identity.Refuse(identity.BadTime, "over since %d", s.ExpiresAt())
	}
	return bundle.CheckRevoked(s.Certificate())
}

// remember keeps what a refused statement taught about its node.
func (c *Catalog) remember(b *builder, next *place, s *identity.Statement, evidence bool) {
	node := next.state.Node()
	u := c.unkept[node]
	u.place = next
	if evidence {
		u.objects = append(u.objects, stored(s, b.now))
	}
	c.unkept[node] = u
	c.places.put(node, next)
}

// keep stores what no version carried.
func (c *Catalog) keep(ctx context.Context) {
	if len(c.unkept) == 0 || c.doubt != nil {
		return
	}
	var objects []Object
	var rows []NodeRow
	for _, u := range c.unkept {
		objects, rows = append(objects, u.objects...), append(rows, u.place.row())
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	if err := c.storeResult(c.store.Keep(ctx, objects, rows)); err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "evidence not stored yet", slog.String("reason", err.Error()))
		return
	}
	clear(c.unkept)
}

// install makes a durable version the present one in memory; see [Catalog.publish].
func (c *Catalog) install(ctx context.Context, p *pending) {
	c.state = p.next
	for _, m := range p.moves {
		c.places.put(m.node, m.next)
		delete(c.unkept, m.node)
		if m.next.listed {
			c.expiries.add(m.next.state)
		}
		c.watch(m)
		c.auditMove(ctx, m, p.next.head.Version)
	}
	c.stats.versions.Add(1)
	c.unheard = append(c.unheard, p.moves...)
	c.news.tell(p.batch.Events)
}

func (c *Catalog) outcome(s *identity.Statement, applied int64, created bool) *Outcome {
	return &Outcome{Created: created, Statement: s, Snapshot: c.Snapshot(), Applied: applied, Notes: c.Notes(s.Node())}
}

// refuseCarried answers what cannot be committed now.
func (c *Catalog) refuseCarried() {
	for _, e := range c.carried {
		if p := c.places.get(e.actor); p != nil && p.listed && !e.statement.IsTombstone() && e.statement.Node() == e.actor && e.statement.Compare(p.state) >= 0 {
			c.heard(e.actor, e.from) // it lives, and may not send heartbeats of what was before
		}
		e.answer(nil, identity.Refuse(identity.Unavailable, "the store does not answer"))
	}
	c.carried = nil
}

// breathe holds the versions to their rate, and lets statements gather.
func (c *Catalog) breathe(ctx context.Context) {
	wait := c.pace.Reserve().Delay()
	if runtime.GOMAXPROCS(0) == 1 {
		wait = max(wait, linger)
	}
	pause(ctx, wait)
}

// pause sleeps, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
