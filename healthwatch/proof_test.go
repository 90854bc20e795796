package healthwatch_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

func TestNodeThatMustProveItselfIsDownUntilTheFirstGoodProbe(t *testing.T) {
	for _, check := range []identity.CheckType{identity.CheckMTLS, identity.CheckHTTPS, identity.CheckGRPC} {
		t.Run(string(check), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProber()
				w := newWorld(t, healthwatch.Config{Probe: p.probe})
				l := probed(t, "db-1", check, 60)
				got, ok := w.watch.Put(l)
				want := healthwatch.Change{Node: l.Node, Epoch: 1, Status: healthwatch.Down, Reason: healthwatch.Unproven, Evidence: "no probe has succeeded yet"}
				if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); !ok || diff != "" {
					t.Fatalf("at once: %t (-want +got):\n%s", ok, diff)
				}
				w.until(500 * time.Millisecond)
				// What Put said is said again, so that it outlives a change under way.
				w.wantSaid("200ms db-1 down probe-unproven", "400ms db-1 up recovered")
			})
		})
	}
}

func TestNodeThatNeedNotProveItselfIsUpFromTheStart(t *testing.T) {
	for _, check := range []identity.CheckType{identity.CheckNone, identity.CheckTCP, identity.CheckHTTP} {
		t.Run(string(check), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, healthwatch.Config{Probe: newProber().probe})
				w.put(probed(t, "db-1", check, 60))
				w.until(time.Minute)
				w.wantSaid()
			})
		})
	}
}

func TestUnprovenNodeIsAskedAgainSoonAndThenLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(errTimeout)
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		w.watch.Put(probed(t, "db-1", identity.CheckMTLS, 10))
		w.until(time.Minute)
		moments := p.moments()
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
			if gap := moments[i+1] - moments[i]; gap < want-want/10 || gap > want+want/10+200*time.Millisecond {
				t.Errorf("retry %d after %s, want about %s", i+1, gap, want)
			}
		}
		if got := w.statuses(); got != "[down probe-unproven]" {
			t.Errorf("changes %s", got)
		}
	})
}

func TestUnprovenNodeIsAskedAgainSoonAfterFaultsOfTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(&probe.OwnFaultError{Reason: "too many open files"})
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		w.watch.Put(probed(t, "db-1", identity.CheckMTLS, 3600))
		w.until(30 * time.Minute)
		p.answer(nil)
		w.until(30*time.Minute + 10*time.Second)
		if got := w.statuses(); got != "[down probe-unproven up recovered]" {
			t.Errorf("changes %s", got)
		}
	})
}

// Heartbeats show that a node lives, not that the endpoint is its own.
func TestHeartbeatsDoNotProveANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(errors.New("another identity"))
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 10)
		l.Interval = 2 * time.Second
		w.watch.Put(l)
		w.beats(2100*time.Millisecond, time.Minute, 2*time.Second, l.Node)
		if got := w.statuses(); got != "[down probe-unproven]" {
			t.Errorf("changes %s", got)
		}
		if got := w.watch.Stats(); got.Disputed != 1 {
			t.Error("it is not disputed")
		}
	})
}

// A registry that starts again does not take a node that was down as proven.
func TestUnprovenNodeStaysUnprovenAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(&probe.RefusedError{Reason: "192.0.2.1 is not its own"})
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 2)
		l.Interval, l.Status, l.From, l.Loaded = 2*time.Second, healthwatch.Down, netip.Addr{}, true
		w.put(l)
		w.beats(2100*time.Millisecond, time.Minute, 2*time.Second, l.Node)
		w.wantSaid()
		p.answer(nil)
		w.beats(60100*time.Millisecond, 66*time.Second, 2*time.Second, l.Node)
		if got := w.statuses(); got != "[up recovered]" {
			t.Errorf("changes %s, want it up once it was proven", got)
		}
	})
}

// What was up had been proven; its probes are spread like all others.
func TestProvenNodeStaysUpAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 60)
		l.From, l.Loaded = netip.Addr{}, true
		w.put(l)
		w.until(3 * time.Minute)
		w.wantSaid()
		if got := len(p.moments()); got < 2 || got > 4 {
			t.Errorf("%d probes in three minutes", got)
		}
	})
}

func TestMovedEndpointMustBeProvenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 60)
		w.watch.Put(l)
		w.until(time.Second)
		l.Status = healthwatch.Up
		if _, ok := w.watch.Put(l); ok {
			t.Fatal("a record that only was signed anew must be proven anew")
		}
		l.Endpoint.Address = "192.0.2.2"
		p.answers["192.0.2.2"] = errTimeout
		if c, ok := w.watch.Put(l); !ok || c.Status != healthwatch.Down || c.Reason != healthwatch.Unproven {
			t.Fatalf("moved: %+v, %t", c, ok)
		}
		w.until(30 * time.Second)
		if got, want := w.statuses(), "[down probe-unproven up recovered down probe-unproven]"; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
	})
}

// A probe of the endpoint before says nothing about the one after.
func TestProbeOfAnEarlierEndpointDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = time.Second
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckMTLS, 60)
		w.watch.Put(l)
		w.until(500 * time.Millisecond) // a good one is under way
		l.Status, l.Endpoint.Address = healthwatch.Down, "192.0.2.2"
		p.answers["192.0.2.2"] = errTimeout
		w.watch.Put(l)
		w.until(3500 * time.Millisecond)
		w.wantSaid("200ms db-1 down probe-unproven")
		if got := w.watch.Stats(); got.Succeeded != 0 || got.Failed != 1 {
			t.Errorf("%d good and %d failed probes count, want 0 and 1", got.Succeeded, got.Failed)
		}
		if got := p.targets[len(p.targets)-1].Endpoint.Address; got != "192.0.2.2" {
			t.Errorf("probed last: %s", got)
		}
	})
}
