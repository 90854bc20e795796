package healthwatch

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A node that owes a probe is asked again soon: first after firstRetry, and
// then after twice as long each time, as far as that was the node's fault.
const (
	firstRetry  = time.Second
	ownDoubling = 3 // times, after faults of ours
)

// startProbes sees to it that those that wait are taken by as many goroutines as
// may run at one time.
func (w *Watch) startProbes(ctx context.Context, running *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range min(len(w.queue), w.cfg.Probes-w.probes) {
		w.probes++
		running.Go(func() { w.probeAll(ctx) })
	}
}

// An attempt is a probe that is under way.
type attempt struct {
	node   *node
	target probe.Target  // the node's when it began
	lost   time.Duration // by this process until then
}

// probeAll probes what waits until nothing does.
func (w *Watch) probeAll(ctx context.Context) {
	for p, ok := w.nextProbe(ctx); ok; p, ok = w.nextProbe(ctx) {
		w.probed(ctx, p, w.probe(ctx, p.target))
	}
}

// errPanic is what a probe finds that meets a bug of ours.
var errPanic = errors.New("the probe met a bug of the registry")

// probe contacts a target. A bug costs one probe.
func (w *Watch) probe(ctx context.Context, t probe.Target) error {
	err := errPanic
	func() {
		defer func() {
			if cause := recover(); cause != nil {
				w.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a panic was caught", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
			}
		}()
		err = w.cfg.Probe(ctx, t)
	}()
	return err
}

// nextProbe takes a node that waits; ok is false for the last time.
func (w *Watch) nextProbe(ctx context.Context) (p attempt, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 && ctx.Err() == nil {
		n := w.queue[0]
		w.queue = w.queue[1:]
		if n.probed && !n.gone {
			return attempt{n, n.target, w.stats.Lost}, true
		}
		n.asked = false
	}
	w.probes--
	return attempt{}, false
}

// probed takes the result of a probe.
func (w *Watch) probed(ctx context.Context, p attempt, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := p.node
	if n.gone || ctx.Err() != nil {
		return
	}
	now := w.now()
	n.asked = false
	if n.target.Endpoint != p.target.Endpoint || n.target.Check != p.target.Check {
		n.probeAt = now // it has moved meanwhile
		w.plan(n)
		return
	}
	changed := w.weigh(n, now, p, err)
	n.tries++
	n.probeAt = now + w.untilProbe(n)
	w.take(n, now, changed)
	w.plan(n)
}

// weigh judges the node by a probe, and reports whether its status has changed.
// The caller holds mu.
func (w *Watch) weigh(n *node, now time.Duration, p attempt, err error) (changed bool) {
	refused, forbidden := errors.AsType[*probe.RefusedError](err)
	_, own := errors.AsType[*probe.OwnFaultError](err)
	switch {
	case forbidden:
		w.stats.Refused++
		n.note = noteOf(refused)
		changed = n.health.Refuse(w.cfg.Rules, n.note, now)
	case own:
		w.stats.OwnFaults++
		n.tries = min(n.tries, ownDoubling)
	case errors.Is(err, errPanic):
		w.stats.Panics++
	case err != nil && p.lost != w.stats.Lost:
		// Who was away or starved cannot say that others were.
	case err != nil:
		w.stats.Failed++
		n.note = ""
		if n.health.unproven {
			n.note = "not up before a probe succeeds: " + err.Error()
		}
		changed = n.health.Probe(w.cfg.Rules, err.Error(), now)
	default:
		w.stats.Succeeded++
		n.note = ""
		if w.isHeld(n) {
			n.health.Spare()
		}
		changed = n.health.Probe(w.cfg.Rules, "", now)
	}
	return changed
}

// untilProbe is how long the next probe of a node waits. The caller holds mu.
func (w *Watch) untilProbe(n *node) time.Duration {
	interval := probeInterval(n.target.Check)
	if n.health.OwesProbe() {
		interval = min(interval, firstRetry<<min(n.tries-1, 12))
	}
	return interval - interval/10 + w.spread(n.id, n.tries, interval/5)
}

// noteOf is what a node is told that may not be probed.
func noteOf(why *probe.RefusedError) string { return "not probed: " + why.Reason }

func probeInterval(c identity.Check) time.Duration { return time.Duration(c.Interval) * time.Second }

// spread returns a moment below d that differs from node to node and from turn
// to turn, so that not all are probed together.
func (w *Watch) spread(id identity.NodeID, turn int, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(maphash.String(w.seed, id.String()+"#"+strconv.Itoa(turn)) % uint64(d)) //nolint:gosec // below d, which is positive
}
