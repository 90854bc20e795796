package healthwatch_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// tenth is a moment at which the watch does not look.
func tenth(seconds int) time.Duration {
	return time.Duration(seconds)*time.Second + 100*time.Millisecond
}

// brakeWorld has so many nodes in a network whose brake holds for two minutes.
func brakeWorld(t *testing.T, nodes int) (*world, []identity.NodeID) {
	t.Helper()
	w := newWorld(t, healthwatch.Config{Brake: healthwatch.Brake{Max: 2 * time.Minute}})
	all, ids := many(t, nodes)
	w.put(all...)
	return w, ids
}

// All of these fall silent at the start; the brake takes hold when they are
// suspect, at 4.6 s.
func TestBrakeHoldsBeforeTheFirstTurnsDownAndEndsAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), 4500*time.Millisecond, 2*time.Second, ids[12:]...)
		w.until(4700 * time.Millisecond)
		if !w.proposedBrake() || !strings.Contains(w.logged(), "level=ERROR msg=\"brake: too many nodes fail at once") {
			t.Fatalf("no brake or no alarm: %t, %q", w.proposedBrake(), w.logged())
		}
		w.beats(tenth(6), tenth(124), 2*time.Second, ids[12:]...)
		w.until(124500 * time.Millisecond)
		if got := w.watch.Stats(); w.downs() != 0 || got.Held != 12 || !got.Braked || got.Nodes[healthwatch.Suspect] != 12 {
			t.Fatalf("just before the end %d are down, stats %+v", w.downs(), got)
		}
		w.until(124700 * time.Millisecond)
		if got := w.watch.Stats(); w.downs() != 12 || got.Held != 0 || got.Braked || got.Brakes != 1 || w.proposedBrake() {
			t.Errorf("after the end %d are down, stats %+v", w.downs(), got)
		}
		if c := w.changes[len(w.changes)-1]; c.Reason != healthwatch.HeartbeatMissing || !strings.HasPrefix(c.Evidence, "no heartbeat for 2m4") {
			t.Errorf("the last change is %+v", c)
		}
		if !strings.Contains(w.logged(), "brake ended: what still fails turns down") {
			t.Errorf("log %q", w.logged())
		}
	})
}

// They count no more: the next one that fails turns down at once.
func TestBrakeThatEndedDoesNotHoldTheNextNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(126), 2*time.Second, ids[12:]...)
		for _, id := range ids[:12] {
			w.watch.Beat(id, home) // a sign of life is not enough to be up
		}
		w.beats(tenth(128), tenth(140), 2*time.Second, ids[13:]...) // one more is silent since 126.1 s
		w.until(133 * time.Second)
		if got := w.watch.Stats(); w.downs() != 13 || got.Brakes != 1 {
			t.Errorf("%d are down, %d brakes, want 13 and 1", w.downs(), got.Brakes)
		}
	})
}

func TestNodesThatAreUpAgainCountAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(126), 2*time.Second, ids[12:]...)
		w.beats(tenth(128), tenth(160), 2*time.Second, ids...) // all are up
		w.beats(tenth(162), tenth(180), 2*time.Second, ids[12:]...)
		if got := w.watch.Stats(); w.downs() != 12 || got.Brakes != 2 || got.Held != 12 {
			t.Errorf("%d were down, %d brakes hold %d, want 12, 2 and 12", w.downs(), got.Brakes, got.Held)
		}
	})
}

// Nodes do not come back together: when few enough fail, the rest still has a
// minute.
func TestNodesThatComeBackWithinTheHoldWereNeverDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(28), 2*time.Second, ids[12:]...)
		w.beats(tenth(30), tenth(86), 2*time.Second, ids[5:]...) // from now on only five fail
		if got := w.watch.Stats(); got.Nodes[healthwatch.Up] != 15 || got.Held != 5 {
			t.Errorf("under the brake the seven that came back must be listed as up: %+v", got)
		}
		w.until(tenth(88))
		for _, id := range ids[5:] {
			w.watch.Beat(id, home)
		}
		w.beats(89900*time.Millisecond, 89900*time.Millisecond, 2*time.Second, ids...) // the others have one good sign when it lets go
		w.beats(92100*time.Millisecond, tenth(140), 2*time.Second, ids...)
		if got := w.watch.Stats(); w.downs() != 0 || got.Braked || got.Brakes != 1 || got.Nodes[healthwatch.Up] != 20 {
			t.Errorf("%d were down, stats %+v", w.downs(), got)
		}
		if !strings.Contains(w.logged(), "brake released: nodes are back") {
			t.Errorf("log %q", w.logged())
		}
	})
}

func TestBrakeLetsGoAMinuteAfterFewerFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(28), 2*time.Second, ids[12:]...)
		w.beats(tenth(30), tenth(88), 2*time.Second, ids[5:]...)
		if w.downs() != 0 {
			t.Fatalf("%d are down within the minute", w.downs())
		}
		w.beats(tenth(90), tenth(94), 2*time.Second, ids[5:]...)
		if got := w.watch.Stats(); w.downs() != 5 || got.Braked || got.Held != 0 {
			t.Errorf("%d are down, want the 5 that did not come back; stats %+v", w.downs(), got)
		}
	})
}

// A spared node has shown itself once, not twice.
func TestHeldNodeThatFallsSilentAgainTurnsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(28), 2*time.Second, ids[12:]...)
		w.beats(tenth(30), tenth(30), 2*time.Second, ids...)
		w.beats(tenth(32), tenth(140), 2*time.Second, ids[12:]...)
		if got := w.watch.Stats(); w.downs() != 12 || got.Brakes != 1 {
			t.Errorf("%d are down after %d brakes, want 12 after 1", w.downs(), got.Brakes)
		}
	})
}

func TestNoBrakeForFiveNodesOrTheShareItself(t *testing.T) {
	for name, row := range map[string]struct {
		nodes, silent int
		brake         bool
	}{
		"five of six":           {6, 5, false},
		"six of six":            {6, 6, true},
		"six of twenty, 30 %":   {20, 6, false},
		"seven of twenty, 35 %": {20, 7, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, ids := brakeWorld(t, row.nodes)
				w.beats(tenth(2), tenth(10), 2*time.Second, ids[row.silent:]...)
				if got := w.watch.Stats(); got.Braked != row.brake || w.downs() == 0 != row.brake {
					t.Errorf("braked %t, %d down, want a brake: %t", got.Braked, w.downs(), row.brake)
				}
			})
		})
	}
}

func TestShareIsConfigurableAndOneMeansNever(t *testing.T) {
	for share, want := range map[float64]int{0.8: 12, 0.5: 0, 1: 12} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, healthwatch.Config{Brake: healthwatch.Brake{Share: share}})
			all, ids := many(t, 20)
			w.put(all...)
			w.beats(tenth(2), tenth(10), 2*time.Second, ids[12:]...)
			if w.downs() != want {
				t.Errorf("share %v: %d are down, want %d", share, w.downs(), want)
			}
		})
	}
}

func TestDownsOfTheLastMinuteCountTogether(t *testing.T) {
	for name, row := range map[string]struct {
		second int // when the second four fall silent
		brake  bool
	}{
		"40 s apart": {40, true},
		"70 s apart": {70, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, ids := brakeWorld(t, 20)
				w.beats(tenth(2), tenth(20), 2*time.Second, ids[4:]...)
				for _, id := range ids[:4] {
					w.watch.Beat(id, home) // that they fell is no less true for it
				}
				w.beats(tenth(22), tenth(row.second), 2*time.Second, ids[4:]...)
				w.beats(tenth(row.second+2), tenth(row.second+10), 2*time.Second, ids[8:]...)
				want := 8
				if row.brake {
					want = 4
				}
				if got := w.watch.Stats(); w.downs() != want || got.Braked != row.brake {
					t.Errorf("%d are down, braked %t, want %d and %t", w.downs(), got.Braked, want, row.brake)
				}
			})
		})
	}
}

// A node that has not proved itself does not fail, and no brake makes it active.
func TestBrakeDoesNotConcernUnprovenNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(errTimeout)
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		all, ids := many(t, 20)
		for i := range all {
			if i < 10 {
				all[i].Check.Type = identity.CheckMTLS
			}
			w.watch.Put(all[i])
		}
		w.beats(tenth(2), tenth(60), 2*time.Second, ids...)
		if got := w.watch.Stats(); got.Brakes != 0 || w.downs() != 10 {
			t.Fatalf("%d brakes, %d down, want 0 and 10", got.Brakes, w.downs())
		}
		w.until(tenth(67)) // all others are suspect or held
		late := heartbeats(t, "late")
		late.Check.Type = identity.CheckMTLS
		c, ok := w.watch.Put(late)
		w.until(tenth(68))
		if got := w.watch.Stats(); !ok || c.Status != healthwatch.Down || !got.Braked || w.downs() != 11 {
			t.Errorf("under the brake: %+v, %d down, stats %+v", c, w.downs(), got)
		}
	})
}

// A network is cut off and comes back: heartbeats first, probes when it is their
// turn, of some nodes long after the brake has let go.
func TestHeldNodesAreSparedByTheFirstHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Brake: healthwatch.Brake{Max: time.Hour}})
		all, ids := many(t, 20)
		for i := range all {
			all[i].Check = identity.Check{Type: identity.CheckTCP, Interval: 20}
			if i < 5 {
				all[i].Check.Interval = 120
			}
		}
		w.put(all...)
		w.beats(tenth(2), tenth(60), 2*time.Second, ids...)
		p.answer(errTimeout)
		w.until(tenth(500))
		if got := w.watch.Stats(); got.Held != 20 {
			t.Fatalf("the brake holds %d, want 20", got.Held)
		}
		p.answer(nil)
		w.beats(tenth(502), tenth(900), 2*time.Second, ids...)
		if got := w.watch.Stats(); w.downs() != 0 || got.Nodes[healthwatch.Up] != 20 || got.Braked {
			t.Errorf("%d were down, stats %+v", w.downs(), got)
		}
	})
}

// Nodes that only probes watch are spared by a good one.
func TestHeldNodesAreSparedByTheFirstGoodProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Brake: healthwatch.Brake{Max: 50 * time.Minute}})
		for i := range 20 {
			seconds := int64(10)
			if i < 5 {
				seconds = 50
			}
			w.put(probed(t, fmt.Sprintf("db-%d", i), identity.CheckTCP, seconds))
		}
		w.until(tenth(130))
		p.answer(errTimeout)
		w.until(tenth(600))
		if got := w.watch.Stats(); got.Held != 20 {
			t.Fatalf("the brake holds %d, want 20", got.Held)
		}
		p.answer(nil)
		w.until(tenth(1100)) // when it lets go, after 660 s, most of the five have had one good probe
		if got := w.watch.Stats(); w.downs() != 0 || got.Nodes[healthwatch.Up] != 20 || got.Braked {
			t.Errorf("%d were down, stats %+v", w.downs(), got)
		}
	})
}

// Held as one that may be alive, it names another endpoint: nothing holds that.
func TestHeldNodeThatMovesMustProveItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		all, ids := many(t, 20)
		for i := range all {
			all[i].Check = identity.Check{Type: identity.CheckMTLS, Interval: 3600}
			w.watch.Put(all[i])
		}
		w.beats(tenth(2), tenth(10), 2*time.Second, ids...)
		w.until(tenth(20))
		if got := w.watch.Stats(); got.Held != 20 {
			t.Fatalf("the brake holds %d, want 20", got.Held)
		}
		downs := w.downs()
		moved := all[0]
		moved.Status, moved.Endpoint.Address = healthwatch.Suspect, "192.0.2.2"
		p.answers["192.0.2.2"] = errors.New("another identity")
		if c, ok := w.watch.Put(moved); !ok || c.Status != healthwatch.Down || c.Reason != healthwatch.Unproven {
			t.Errorf("moved: %+v, %t", c, ok)
		}
		w.until(tenth(21))
		if got := w.downs(); got != downs+1 {
			t.Errorf("%d more are proposed as down, want 1", got-downs)
		}
		w.beats(tenth(22), tenth(40), 2*time.Second, ids[0])
		if got := w.watch.Stats(); w.downs() != downs+1 || got.Nodes[healthwatch.Down] != 1 || got.Held != 19 {
			t.Errorf("%d more are down, stats %+v", w.downs()-downs, got)
		}
	})
}

func TestForgottenNodesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ids := brakeWorld(t, 20)
		w.beats(tenth(2), tenth(4), 2*time.Second, ids[12:]...)
		w.until(tenth(6))
		w.beats(tenth(6), tenth(8), 2*time.Second, ids[12:]...)
		if got := w.watch.Stats(); got.Held != 12 {
			t.Fatalf("the brake holds %d, want 12", got.Held)
		}
		for _, id := range ids[:12] {
			w.watch.Forget(id)
		}
		w.beats(tenth(10), tenth(75), 2*time.Second, ids[12:]...)
		if got := w.watch.Stats(); got.Braked || w.downs() != 0 || got.Nodes != [4]int64{healthwatch.Up: 8} {
			t.Errorf("%d down, stats %+v", w.downs(), got)
		}
	})
}
