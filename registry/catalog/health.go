package catalog

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// wishes are what the health watch wants to be different, until the committer
// takes them over.
type wishes struct {
	mu      sync.Mutex
	changes map[identity.NodeID]healthwatch.Change // guarded by mu
	brake   bool                                   // guarded by mu
}

// propose takes what the health watch has found.
func (c *Catalog) propose(p healthwatch.Proposal) {
	c.wishes.mu.Lock()
	for _, change := range p.Changes {
		c.wishes.changes[change.Node] = change
	}
	c.wishes.brake = p.Brake
	c.wishes.mu.Unlock()
	c.queue.poke()
}

// takeWishes hands the wishes to the committer.
func (c *Catalog) takeWishes() {
	c.wishes.mu.Lock()
	defer c.wishes.mu.Unlock()
	maps.Copy(c.wanted, c.wishes.changes)
	clear(c.wishes.changes)
	c.braked = c.wishes.brake
}

// judge brings changes of statuses into a version, as far as they fit.
func (c *Catalog) judge(b *builder, changes map[identity.NodeID]healthwatch.Change) {
	for node, change := range changes {
		if b.full() {
			return // the next version goes on
		}
		if b.touched(node) {
			continue
		}
		p := c.places.get(node)
		if p == nil || !p.listed || p.state.RID() != change.RID || p.status == discovery.Status(change.Status) {
			delete(changes, node) // done, or overtaken
			continue
		}
		b.judge(p, change)
	}
}

// watch follows a move of the version that was just installed. A node that must
// prove itself has its status changed before the version gets a head.
func (c *Catalog) watch(m move) {
	if m.reason != discovery.ReasonStatus {
		delete(c.wanted, m.node) // what was judged before is judged anew
	}
	switch {
	case c.health == nil:
		return
	case !m.next.listed:
		c.health.Forget(m.node)
	case m.reason == discovery.ReasonPut:
		l := listing(m.next)
		l.From = m.from
		c.press(l)
		return
	}
	delete(c.pressing, m.node)
}

// press begins to watch a record, and notes what has to change at once.
func (c *Catalog) press(l healthwatch.Listing) {
	if change, urgent := c.health.Put(l); urgent {
		c.pressing[l.Node] = change
	} else {
		delete(c.pressing, l.Node)
	}
}

// watchAll begins to watch what was loaded. Who may have lost the status that it
// should have had has to prove itself again.
func (c *Catalog) watchAll(ctx context.Context) {
	if c.health == nil {
		return
	}
	unsure := c.unsure(ctx)
	for node, p := range c.places.byNode {
		if p.listed {
			l := listing(p)
			l.Loaded = unsure[node] == nil
			c.press(l)
		}
	}
}

// listing is a listed place as the watch needs it.
func listing(p *place) healthwatch.Listing {
	r, _ := p.state.Record() // what is listed is a record
	return healthwatch.Listing{
		Node: p.state.Node(), Epoch: p.state.Epoch(), RID: p.state.RID(), Status: healthwatch.Status(p.status),
		Interval: time.Duration(r.Heartbeat.Interval) * time.Second, Endpoint: r.Endpoints[0], Check: r.Check,
	}
}

// heard tells the watch of a new heartbeat.
func (c *Catalog) heard(node identity.NodeID, from netip.Addr) {
	if c.health != nil {
		c.health.Beat(node, from)
	}
}

// Notes returns what the registry will not do for a node; never nil.
func (c *Catalog) Notes(node identity.NodeID) []string {
	if c.health == nil {
		return []string{}
	}
	return c.health.Notes(node)
}

// Health returns the numbers of the health watch; zero without one.
func (c *Catalog) Health() healthwatch.Stats {
	if c.health == nil {
		return healthwatch.Stats{}
	}
	return c.health.Stats()
}
