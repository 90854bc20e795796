package healthwatch_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// Whatever has happened: when all nodes are gone all are down, and when all are
// well all are up, and that is what was proposed last.
func TestEveryHistoryEndsInTheTruth(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(t, seed)
				for range 600 {
					h.step()
				}
				h.until(time.Since(h.start) + 20*time.Minute)
				h.prober.answer(errTimeout)
				h.until(time.Since(h.start) + 20*time.Minute)
				h.wantAll(healthwatch.Down)
				h.prober.answer(nil)
				for range 600 {
					time.Sleep(2 * time.Second)
					h.beatAll()
				}
				h.wantAll(healthwatch.Up)
			})
		})
	}
}

// A history is a world in which anything happens.
type history struct {
	*world
	rand   *rand.Rand
	prober *prober
	clock  *jumpClock
	nodes  []healthwatch.Listing
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	h := &history{rand: rand.New(rand.NewPCG(seed, 0)), prober: newProber(), clock: newJumpClock()}
	h.world = newWorld(t, healthwatch.Config{Probe: h.prober.probe, Clock: h.clock.now, Brake: healthwatch.Brake{Max: time.Minute}})
	checks := []identity.CheckType{identity.CheckNone, identity.CheckTCP, identity.CheckMTLS}
	for i := range 12 {
		l := heartbeats(t, fmt.Sprintf("db-%d", i))
		l.Check = identity.Check{Type: checks[i%3], Interval: int64(2 + i)}
		h.nodes = append(h.nodes, l)
		h.list(l)
	}
	return h
}

// list puts a record, listed as the registry would after all that was proposed.
func (h *history) list(l healthwatch.Listing) {
	h.mu.Lock()
	l.Status = healthwatch.Up
	for _, c := range h.changes {
		if c.Node == l.Node && c.Epoch == l.Epoch {
			l.Status = c.Status
		}
	}
	h.mu.Unlock()
	h.watch.Put(l)
}

// step has one thing happen, some time later.
func (h *history) step() {
	time.Sleep(time.Duration(h.rand.IntN(1500)) * time.Millisecond)
	l := &h.nodes[h.rand.IntN(len(h.nodes))]
	switch what := h.rand.IntN(100); {
	case what < 50:
		h.watch.Beat(l.Node, home)
	case what < 70:
		h.beatAll()
	case what < 75:
		l.Epoch++
		h.list(*l)
	case what < 80:
		l.Endpoint.Port = 5000 + h.rand.Int64N(3)
		h.list(*l)
	case what < 83:
		h.watch.Forget(l.Node)
		l.Epoch++
		h.list(*l)
	case what < 86:
		h.clock.jump(time.Duration(h.rand.IntN(8000)) * time.Millisecond)
	case what < 90:
		h.prober.answer(nil)
	case what < 94:
		h.prober.answer(errTimeout)
	case what < 96:
		h.prober.answer(&probe.RefusedError{Reason: "no"})
	default:
		loaded := *l
		loaded.From, loaded.Loaded = netip.Addr{}, true
		h.list(loaded)
	}
}

func (h *history) beatAll() {
	for _, l := range h.nodes {
		h.watch.Beat(l.Node, home)
	}
}

// wantAll requires one status of all nodes, known and proposed.
func (h *history) wantAll(want healthwatch.Status) {
	h.t.Helper()
	synctest.Wait()
	if got := h.watch.Stats(); got.Nodes[want] != int64(len(h.nodes)) || got.Braked || got.Held != 0 {
		h.t.Errorf("want all %s, stats %+v", want, got)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := map[identity.NodeID]healthwatch.Status{}
	for _, c := range h.changes {
		last[c.Node] = c.Status
	}
	for _, l := range h.nodes {
		if last[l.Node] != want {
			h.t.Errorf("%s was proposed %s last, want %s", l.Node.Label(), last[l.Node], want)
		}
	}
}

// All methods are called from many goroutines; the race detector looks on. No call
// is lost, and in the end all is as if they had come one after another: every node
// is up by its last record.
func TestWatchIsSafeForConcurrentUse(t *testing.T) {
	const users, nodes, turns, forgets, last, atOnce = 8, 4, 300, 15, 5, 3
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = 250 * time.Millisecond // while the watch looks again
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: atOnce})
		var using sync.WaitGroup
		for i := range users {
			l := probed(t, fmt.Sprintf("db-%d", i%nodes), identity.CheckMTLS, 2)
			using.Go(func() {
				for turn := range turns {
					time.Sleep(10 * time.Millisecond)
					l.Epoch = int64(turn * (last + 1) / turns)
					w.watch.Put(l)
					w.watch.Beat(l.Node, home)
					w.watch.Notes(l.Node)
					w.watch.Stats()
					if turn%(turns/forgets) == 0 {
						w.watch.Forget(l.Node)
					}
				}
			})
		}
		using.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		got := w.watch.Stats()
		if got.Nodes != [4]int64{healthwatch.Up: nodes} || got.Disputed+got.Held != 0 || got.Probing > atOnce || got.Probing+got.Queued > nodes {
			t.Errorf("in the end the stats are %+v, want %d nodes that are up", got, nodes)
		}
		if most, least := int64(users*turns), int64(users*(turns-forgets)); got.Beats > most || got.Beats < least {
			t.Errorf("%d heartbeats of %d were counted, of which at most %d met a node that was forgotten", got.Beats, most, most-least)
		}
		if probes := int64(len(p.moments())); got.Failed+got.Refused+got.Panics != 0 || got.Succeeded > probes || got.Succeeded < nodes || p.most != atOnce {
			t.Errorf("of %d probes, %d at once: %+v", probes, p.most, got)
		}
		w.wantConcurrentChanges(nodes, last, got.Changes)
	})
}

// wantConcurrentChanges requires that every change that was counted was proposed,
// and the last of each node says that it is up in its last epoch.
func (w *world) wantConcurrentChanges(nodes int, epoch int64, counted [4]int64) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var proposed [4]int64
	final := map[identity.NodeID]healthwatch.Change{}
	for _, c := range w.changes {
		proposed[c.Status]++
		final[c.Node] = c
	}
	if proposed != counted {
		w.t.Errorf("changes by status: %v were proposed, %v counted", proposed, counted)
	}
	if len(final) != nodes {
		w.t.Errorf("changes of %d nodes, want %d", len(final), nodes)
	}
	for id, c := range final {
		if c.Status != healthwatch.Up || c.Epoch != epoch || c.Reason != healthwatch.Recovered {
			w.t.Errorf("of %s was proposed last: %+v, want up in epoch %d", id.Label(), c, epoch)
		}
	}
}
