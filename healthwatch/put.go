package healthwatch

import (
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// Put begins to watch a record, or goes on with another one of the same node. In
// a new epoch all that was known of the node is forgotten. A status that is not
// as listed is proposed (again). ok says that it has to change at once, before
// that: a node that must prove itself is down until then.
func (w *Watch) Put(l Listing) (c Change, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	n := w.nodes[l.Node]
	if n == nil || n.epoch != l.Epoch {
		w.drop(n)
		n = newNode(l, w.signs(l), now)
		w.nodes[l.Node] = n
	} else if l.From.IsValid() {
		n.health.Excuse(now) // to sign anew is a sign of life
	}
	changed := w.adopt(n, l, now)
	w.take(n, now, changed)
	if n.health.unproven {
		delete(w.held, n) // no brake keeps it active
	}
	if n.health.unproven && n.shown != Down {
		c, ok = n.change(now), true
		n.shown = 0 // until it is said again: who is told may be overtaken
	}
	w.look(n, now)
	return c, ok
}

// adopt has a node be judged by another record, and reports whether its status
// has changed by that. The caller holds mu.
func (w *Watch) adopt(n *node, l Listing, now time.Duration) (changed bool) {
	fresh := n.target.Endpoint != l.Endpoint || n.target.Check != l.Check
	brought := l.From.IsValid() // by the node itself
	n.target = probe.Target{Node: l.Node, Endpoint: l.Endpoint, Check: l.Check, From: n.target.From}
	if brought {
		n.target.From = l.From
	}
	signs := w.signs(l)
	changed = n.health.Resign(w.cfg.Rules, signs, fresh && !l.Loaded, now)
	n.rid, n.shown, n.probed = l.RID, l.Status, signs.Probed
	if !fresh {
		return changed
	}
	n.note, n.tries, n.probeAt = "", 0, now+w.spread(n.id, 0, probeInterval(l.Check))
	if n.health.unproven && !l.Loaded {
		n.probeAt = now
	}
	if n.probed && n.target.From.IsValid() && w.cfg.Forbids != nil {
		if why := w.cfg.Forbids(n.target); why != nil {
			n.note = noteOf(why)
			changed = n.health.Refuse(w.cfg.Rules, n.note, now) || changed
		}
	}
	return changed
}

// signs returns how the node of a listing shows that it lives.
func (w *Watch) signs(l Listing) Signs {
	s := Signs{Interval: l.Interval}
	if w.cfg.Probe == nil {
		return s
	}
	switch l.Check.Type {
	case identity.CheckNone:
	case identity.CheckTCP, identity.CheckHTTP:
		s.Probed = true
	case identity.CheckMTLS, identity.CheckHTTPS, identity.CheckGRPC:
		s.Probed, s.Proof = true, true
	}
	return s
}
