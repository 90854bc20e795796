package main_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// A look is what is verifiably said of one node; nil: it is not listed.
type look func(*discovery.Node) bool

func isUp(n *discovery.Node) bool   { return n != nil && n.Active() }
func isDown(n *discovery.Node) bool { return n != nil && n.Status == discovery.Down }
func isGone(n *discovery.Node) bool { return n == nil }

// nodeIn returns what an answer says of a node.
func nodeIn(found *discovery.Found, id identity.NodeID) *discovery.Node {
	for i := range found.Nodes {
		if found.Nodes[i].Record.Node == id {
			return &found.Nodes[i]
		}
	}
	return nil
}

// first returns the first look after a moment that sees a node so.
func (w *healthWorld) first(n *nodeProcess, since time.Time, want look) (at time.Time, ok bool) {
	for _, p := range w.looks.since(since) {
		if p.isAnswer() && want(nodeIn(p.found, n.id())) {
			return p.at, true
		}
	}
	return time.Time{}, false
}

// wait waits until each of the nodes was seen so after a moment.
func (w *healthWorld) wait(t *testing.T, what string, nodes []*nodeProcess, since time.Time, want look) {
	t.Helper()
	eventually(t, healthPatience, what, func() bool {
		return !slices.ContainsFunc(nodes, func(n *nodeProcess) bool { _, seen := w.first(n, since, want); return !seen })
	})
}

// after waits until each node was seen so, and returns how long that took from
// its own moment on.
func (w *healthWorld) after(t *testing.T, what string, moments map[*nodeProcess]time.Time, want look) (took spread) {
	t.Helper()
	for n, moment := range moments {
		w.wait(t, what, []*nodeProcess{n}, moment, want)
		at, _ := w.first(n, moment, want)
		took = append(took, at.Sub(moment))
	}
	return took
}

// checkLooks fails if the one who looks on was ever refused or misled, or a node
// was not listed at a look of the time.
func (w *healthWorld) checkLooks(t *testing.T, from, to time.Time) {
	t.Helper()
	for _, p := range w.looks.since(from) {
		if p.at.After(to) {
			return
		}
		if p.err != nil {
			t.Errorf("a client was not answered: %v", p.err)
			continue
		}
		if len(p.found.Nodes) != len(w.nodes) || len(p.found.LeftOut) != 0 {
			t.Errorf("%d nodes are listed and %d left out, want %d and none", len(p.found.Nodes), len(p.found.LeftOut), len(w.nodes))
		}
	}
}

// report says durations beside their limit.
func (s spread) report(t *testing.T, what string, limit time.Duration) {
	t.Helper()
	within := 0
	for _, d := range s {
		if d <= limit {
			within++
		}
	}
	testdrill.Say(t, "%s: %s: %d of %d, after p50 %s, max %s (limit %s)", testdrill.Verdict(within == len(s)), what, within, len(s),
		s.part(0.5).Round(10*time.Millisecond), s.part(1).Round(10*time.Millisecond), limit)
}

func randomBelow(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
