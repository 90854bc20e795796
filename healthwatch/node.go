package healthwatch

import (
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A node is what the watch knows of one.
type node struct {
	id     identity.NodeID
	epoch  int64
	rid    identity.Hash // of the record
	health Health
	target probe.Target
	gone   bool // forgotten meanwhile

	shown   Status        // as listed, or proposed last; 0: not known
	why     Reason        // of the last change
	fell    time.Duration // when it was said to be down; this counts for a while
	failing bool          // it counts for the brake
	excused bool          // the brake has ended over it: it does not count until it is up

	wake  time.Duration // when it is looked at next, at the latest
	place int           // in the agenda, unless wake is never

	probed  bool          // its record asks for probes
	asked   bool          // a probe waits or is under way
	probeAt time.Duration // when the next probe is due
	tries   int           // probes so far
	note    string        // what policy forbids
}

func newNode(l Listing, s Signs, now time.Duration) *node {
	return &node{
		id: l.Node, epoch: l.Epoch, health: NewHealth(s, l.Status, now), shown: l.Status, fell: now - brakeWindow, wake: never,
	}
}

// take draws the conclusions of a judgement. The caller holds mu.
func (w *Watch) take(n *node, now time.Duration, changed bool) {
	status := n.health.Status()
	if changed {
		delete(w.held, n)
	}
	if status != n.shown && !w.isHeld(n) {
		w.turned[n] = struct{}{}
	}
	if status == Up {
		n.excused = false
	}
	w.count(n, !n.excused && n.fails(now))
}

// isHeld reports whether the brake keeps a node from turning down. The caller
// holds mu.
func (w *Watch) isHeld(n *node) bool {
	_, held := w.held[n]
	return held
}

// fails reports whether the node counts for the brake: it is down since a short
// time, is to turn down, or is suspect and goes that way. That it has not proved
// itself yet is no failure.
func (n *node) fails(now time.Duration) bool {
	if n.health.unproven || n.health.Status() != Down {
		return n.health.Falling()
	}
	return n.shown != Down || now-n.fell < brakeWindow
}

// count notes whether a node counts for the brake. The caller holds mu.
func (w *Watch) count(n *node, failing bool) {
	if n.failing == failing {
		return
	}
	n.failing = failing
	if failing {
		w.failing++
	} else {
		w.failing--
	}
}

// look judges a node as of now. The caller holds mu.
func (w *Watch) look(n *node, now time.Duration) {
	changed := n.health.Pass(w.cfg.Rules, now)
	w.take(n, now, changed)
	if n.probed && !n.asked && n.probeAt <= now {
		n.asked = true
		w.queue = append(w.queue, n)
	}
	w.plan(n)
}

// plan sees to it that a node is looked at when something changes by itself. The
// caller holds mu.
func (w *Watch) plan(n *node) {
	at := never
	if next, ok := n.health.Next(w.cfg.Rules); ok {
		at = next
	}
	if n.probed && !n.asked {
		at = min(at, n.probeAt)
	}
	if n.failing && n.shown == Down && n.health.Status() == Down {
		at = min(at, n.fell+brakeWindow)
	}
	w.agenda.add(n, at)
}
