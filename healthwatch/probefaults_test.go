package healthwatch_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A bug costs one probe, and no node is blamed for it.
func TestPanicOfAProbeIsCaughtAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{Probe: func(context.Context, probe.Target) error { panic("a bug") }})
		w.put(probed(t, "db-1", identity.CheckTCP, 2))
		w.until(time.Minute)
		w.wantSaid()
		if got := w.watch.Stats().Panics; got < 25 {
			t.Errorf("%d panics were counted", got)
		}
		if got := w.logged(); !strings.Contains(got, "a panic was caught") {
			t.Errorf("the log: %s", got)
		}
	})
}

// That the registry's own machine fails is nobody else's fault.
func TestOwnFaultsBlameNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(&probe.OwnFaultError{Reason: "too many open files"})
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		w.put(probed(t, "db-1", identity.CheckTCP, 2))
		w.until(time.Minute)
		w.wantSaid()
		if got := w.watch.Stats(); got.OwnFaults < 25 || got.Failed != 0 {
			t.Errorf("%d own faults and %d failed probes were counted", got.OwnFaults, got.Failed)
		}
	})
}

// What follows from the address alone is known at once, not with the first probe.
func TestForbiddenAddressIsANoteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Forbids: func(t probe.Target) *probe.RefusedError {
			if t.Endpoint.Address == "10.0.0.1" {
				return &probe.RefusedError{Reason: t.Endpoint.Address + " is elsewhere"}
			}
			return nil
		}})
		l := probed(t, "db-1", identity.CheckTCP, 3600)
		l.Endpoint.Address = "10.0.0.1"
		w.put(l)
		if got := w.watch.Notes(l.Node); len(got) != 1 || got[0] != "not probed: 10.0.0.1 is elsewhere" {
			t.Errorf("notes %q", got)
		}
		l.Endpoint.Address = home.String()
		w.put(l)
		if got := w.watch.Notes(l.Node); len(got) != 0 {
			t.Errorf("after it has moved: notes %q", got)
		}
	})
}

// A process that is starved has no time for its own probes.
func TestFailedProbesOfAStarvedProcessDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, clock := newProber(), newJumpClock()
		p.lasts = 1900 * time.Millisecond
		p.answer(errTimeout)
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Clock: clock.now})
		w.put(probed(t, "db-1", identity.CheckTCP, 2))
		for at := time.Second; at < 30*time.Second; at += time.Second {
			w.until(at)
			clock.jump(1500 * time.Millisecond)
		}
		w.wantSaid()
		w.until(time.Minute)
		if got := w.statuses(); got != "[suspect probe-failed down probe-failed]" {
			t.Errorf("when it has time again: %s", got)
		}
	})
}
