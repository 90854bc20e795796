package healthwatch

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A Config says how a [Watch] judges. Propose and Logger are required.
type Config struct {
	Rules Rules
	Brake Brake
	// Probe contacts a node as its record asks: nil if it is well, a
	// [*probe.RefusedError] if policy forbids to contact it, a [*probe.OwnFaultError]
	// if it is this machine that fails. Several goroutines call it.
	// nil: nobody is probed.
	Probe func(context.Context, probe.Target) error
	// Forbids returns why a target will not be contacted, as far as that is known
	// without looking anything up; else nil. nil: nothing is known.
	Forbids func(probe.Target) *probe.RefusedError
	// Probes bounds the probes at one time. Zero: 64.
	Probes int
	// Propose takes what has to change. It must not block, nor call the watch.
	Propose func(Proposal)
	Logger  *slog.Logger
	// Clock goes forward only; it is asked by one goroutine at a time. nil: that of
	// the process, which counts what the machine sleeps.
	Clock func() time.Duration
}

const defaultProbes = 64

// A Listing is a record as the watch needs it.
type Listing struct {
	Node     identity.NodeID
	Epoch    int64
	RID      identity.Hash // of the record
	Status   Status        // as listed
	Interval time.Duration // of its heartbeats
	Endpoint identity.Endpoint
	Check    identity.Check
	// From is the address from which the node brought the record just now; zero:
	// it did not.
	From netip.Addr
	// Loaded: the record was listed before this process began, and what was said
	// of it then is believed.
	Loaded bool
}

// A Change is what the status of a node should become, and why.
type Change struct {
	Node     identity.NodeID
	Epoch    int64         // of the record that was judged
	RID      identity.Hash // its own
	Status   Status
	Reason   Reason
	Evidence string // for people
	Disputed bool   // heartbeats and probes contradict each other
}

// A Proposal is what a watch has found since the last.
type Proposal struct {
	Changes []Change
	Brake   bool // downs are being held back
}

// A Watch judges the nodes of one network. Use [New], then [Watch.Run]. It is safe
// for concurrent use.
type Watch struct {
	cfg  Config
	seed maphash.Seed // of what is spread over time

	mu      sync.Mutex
	clock   clock                     // guarded by mu
	nodes   map[identity.NodeID]*node // guarded by mu
	agenda  agenda                    // guarded by mu
	turned  map[*node]struct{}        // whose status is not as listed; guarded by mu
	held    map[*node]struct{}        // the same, held back by the brake; guarded by mu
	failing int                       // nodes that count for the brake; guarded by mu
	brake   brake                     // guarded by mu
	queue   []*node                   // that wait for a probe; guarded by mu
	probes  int                       // under way; guarded by mu
	away    time.Duration             // for how long this process was, and nobody was told yet; guarded by mu
	stats   Stats                     // what only grows; guarded by mu
}

// New checks the configuration and returns a watch of no node.
func New(cfg Config) (*Watch, error) {
	if cfg.Propose == nil || cfg.Logger == nil {
		return nil, errors.New("a health watch needs Propose and Logger")
	}
	var err error
	if cfg.Rules, err = cfg.Rules.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Brake, err = cfg.Brake.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Probes < 1 {
		cfg.Probes = defaultProbes
	}
	if cfg.Clock == nil {
		cfg.Clock = processClock()
	}
	return &Watch{
		cfg: cfg, seed: maphash.MakeSeed(), brake: brake{Brake: cfg.Brake},
		clock: clock{source: cfg.Clock, seen: cfg.Clock()},
		nodes: map[identity.NodeID]*node{}, turned: map[*node]struct{}{}, held: map[*node]struct{}{},
	}, nil
}

// Forget ends the watch of a node.
func (w *Watch) Forget(id identity.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(w.nodes[id])
}

// drop forgets a node; nil is none. The caller holds mu.
func (w *Watch) drop(n *node) {
	if n == nil {
		return
	}
	n.gone = true
	w.agenda.drop(n)
	w.count(n, false)
	delete(w.turned, n)
	delete(w.held, n)
	delete(w.nodes, n.id)
}

// Beat takes a heartbeat that has just come from a node, which connects from an
// address.
func (w *Watch) Beat(id identity.NodeID, from netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.nodes[id]
	if n == nil {
		return
	}
	now := w.now()
	w.stats.Beats++
	w.stats.Lateness.add(n.health.Lateness(now))
	if n.health.OwesProbe() && !n.target.From.IsValid() {
		n.probeAt, n.tries = now, 0 // only now it may be probed
	}
	if from.IsValid() {
		n.target.From = from
	}
	if w.isHeld(n) {
		n.health.Spare()
	}
	changed := n.health.Beat(w.cfg.Rules, now)
	w.take(n, now, changed)
	w.plan(n)
}

// Notes returns what the registry will not do for a node; never nil.
func (w *Watch) Notes(id identity.NodeID) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[id]; n != nil && n.note != "" {
		return []string{n.note}
	}
	return []string{}
}
