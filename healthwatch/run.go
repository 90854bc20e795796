package healthwatch

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Run judges, probes and proposes until ctx ends. It may run again after that, not
// twice at a time.
func (w *Watch) Run(ctx context.Context) {
	w.begin()
	var probes sync.WaitGroup
	defer probes.Wait()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.step(ctx, &probes)
		}
	}
}

// begin gives every node that was put so far, however slowly, its time to be
// heard. From now on a gap between ticks is one of this process.
func (w *Watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	w.clock.ticks = true
	w.excuse(now)
}

// step does what is due now.
func (w *Watch) step(ctx context.Context, probes *sync.WaitGroup) {
	w.say(ctx, w.judge())
	w.startProbes(ctx, probes)
}

// A finding is what a look at the nodes has brought.
type finding struct {
	turn           brakeTurn
	failing, nodes int           // for the brake
	away           time.Duration // for how long this process was, and nobody was told
}

// judge looks at the nodes whose time has come.
func (w *Watch) judge() finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	for n := w.agenda.due(now); n != nil; n = w.agenda.due(now) {
		w.look(n, now)
	}
	f := finding{failing: w.failing, nodes: len(w.nodes), away: w.away}
	w.away = 0
	f.turn = w.brake.look(w.failing, len(w.nodes), now)
	w.follow(f.turn)
	if changes := w.changes(now); f.turn != brakeStays || len(changes) > 0 {
		w.cfg.Propose(Proposal{changes, w.brake.on}) // while nobody can forget or replace what it speaks of
	}
	return f
}

// follow does what a turn of the brake asks for. The caller holds mu.
func (w *Watch) follow(t brakeTurn) {
	switch t {
	case brakeStays:
		return
	case brakeHolds:
		w.stats.Brakes++
		return
	case brakeEases:
	case brakeEnds:
		for _, n := range w.nodes {
			if n.failing {
				n.excused = true
				w.count(n, false)
			}
		}
	}
	for n := range w.held {
		w.turned[n] = struct{}{}
	}
	clear(w.held)
}

// say puts into the log what an operator must know.
func (w *Watch) say(ctx context.Context, f finding) {
	if f.away > 0 {
		w.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "this process was away; nodes have their time to be heard again", slog.Duration("for", f.away))
	}
	attrs := []slog.Attr{slog.Int("failing", f.failing), slog.Int("nodes", f.nodes), slog.Float64("share", w.cfg.Brake.Share), slog.Duration("at_most", w.cfg.Brake.Max)}
	switch f.turn {
	case brakeStays:
	case brakeHolds:
		w.cfg.Logger.LogAttrs(ctx, slog.LevelError, "brake: too many nodes fail at once; none turns down for now", attrs...)
	case brakeEases:
		w.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "brake released: nodes are back", attrs...)
	case brakeEnds:
		w.cfg.Logger.LogAttrs(ctx, slog.LevelError, "brake ended: what still fails turns down", attrs...)
	}
}

// changes returns what is to be proposed now; what the brake holds back stays.
// The caller holds mu.
func (w *Watch) changes(now time.Duration) []Change {
	var all []Change
	for n := range w.turned {
		status := n.health.Status()
		switch {
		case status == n.shown:
		case status == Down && w.brake.on && !n.health.unproven:
			w.held[n] = struct{}{}
		default:
			all = append(all, w.propose(n, now))
		}
	}
	clear(w.turned)
	return all
}

// propose returns the change of a node, which is as good as made. The caller
// holds mu.
func (w *Watch) propose(n *node, now time.Duration) Change {
	n.shown = n.health.Status()
	w.stats.Changes[n.shown]++
	if n.shown == Down {
		n.fell = now
	}
	w.plan(n)
	return n.change(now)
}

// change is what the node's status should become.
func (n *node) change(now time.Duration) Change {
	n.why = n.health.Reason()
	return Change{
		Node: n.id, Epoch: n.epoch, RID: n.rid, Status: n.health.Status(), Reason: n.why,
		Evidence: n.health.Evidence(now), Disputed: n.health.Disputed(),
	}
}

// now returns the watch's time. When the process itself was away for long, no
// node is blamed for what was not heard. The caller holds mu.
func (w *Watch) now() time.Duration {
	now, lost := w.clock.now()
	w.stats.Lost += lost
	if lost < away {
		return now
	}
	w.stats.Absences++
	w.away += lost
	w.excuse(now)
	return now
}

// excuse blames no node for what was not heard until now. The caller holds mu.
func (w *Watch) excuse(now time.Duration) {
	for _, n := range w.nodes {
		n.health.Excuse(now)
	}
}
