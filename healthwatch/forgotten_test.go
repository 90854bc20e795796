package healthwatch_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// What a probe finds of a node that has left meanwhile concerns nobody.
func TestProbeOfAForgottenNodeDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = time.Second
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 2)
		w.watch.Put(l)
		w.until(500 * time.Millisecond) // it is under way
		w.watch.Forget(l.Node)
		w.until(time.Minute)
		if got, want := w.statuses(), "[down probe-unproven]"; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
		if got := w.watch.Stats(); len(p.moments()) != 1 || got.Succeeded != 0 {
			t.Errorf("%d probes, stats %+v, want one that does not count", len(p.moments()), got)
		}
	})
}

// A registry that starts does not probe all at once who is still to prove itself.
func TestLoadedUnprovenNodesAreProbedInTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		for i := range 100 {
			l := probed(t, fmt.Sprintf("db-%d", i), identity.CheckMTLS, 3600)
			l.Status, l.From, l.Loaded = healthwatch.Down, netip.Addr{}, true
			w.put(l)
		}
		w.until(time.Second)
		if got := len(p.moments()); got > 5 {
			t.Errorf("%d of 100 are probed within a second, of an hour", got)
		}
	})
}

// Who has shown itself since does not go down by itself: the brake does not count
// it.
func TestSuspectNodeWithAGoodSignDoesNotFall(t *testing.T) {
	rules := healthwatch.Rules{Missed: 3, Failed: 3, Good: 2, Slack: time.Second, Calm: time.Minute}
	h := healthwatch.NewHealth(healthwatch.Signs{Interval: 2 * time.Second}, healthwatch.Up, 0)
	h.Pass(rules, 5*time.Second)
	if h.Status() != healthwatch.Suspect || !h.Falling() {
		t.Errorf("a silent node: %s, falling %t", h.Status(), h.Falling())
	}
	h.Beat(rules, 6*time.Second)
	if h.Status() != healthwatch.Suspect || h.Falling() {
		t.Errorf("heard once: %s, falling %t", h.Status(), h.Falling())
	}
}

// A node that wants no probe while it waits for one, and wants them again later,
// gets them.
func TestNodeThatWantsProbesAgainGetsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = 10 * time.Second
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 1})
		w.watch.Put(probed(t, "db-1", identity.CheckMTLS, 3600))
		w.until(500 * time.Millisecond)
		l := probed(t, "db-2", identity.CheckMTLS, 2)
		w.watch.Put(l)
		w.until(time.Second) // it waits
		l.Check.Type = identity.CheckNone
		w.watch.Put(l)
		w.until(15 * time.Second) // its turn has passed
		l.Check.Type = identity.CheckTCP
		w.watch.Put(l)
		w.until(30 * time.Second)
		if got := p.targets[len(p.targets)-1].Node.Label(); got != "db-2" {
			t.Errorf("probed last: %s", got)
		}
	})
}

// A failed probe shows that policy allows it: nothing is left to note.
func TestNoteEndsWithAFailedProbeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(&probe.RefusedError{Reason: "it is elsewhere"})
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckTCP, 2)
		w.put(l)
		w.until(5 * time.Second)
		if got := w.watch.Notes(l.Node); len(got) != 1 {
			t.Errorf("notes %q", got)
		}
		p.answer(errTimeout)
		w.until(10 * time.Second)
		if got := w.watch.Notes(l.Node); len(got) != 0 {
			t.Errorf("after a failed probe: %q", got)
		}
	})
}
