package healthwatch_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// A jumpClock is that of a process that was stopped for as long as it is told.
type jumpClock struct {
	start   time.Time
	stopped atomic.Int64 // ns
}

func newJumpClock() *jumpClock { return &jumpClock{start: time.Now()} }

func (c *jumpClock) now() time.Duration {
	return time.Since(c.start) + time.Duration(c.stopped.Load())
}

func (c *jumpClock) jump(d time.Duration) { c.stopped.Add(int64(d)) }

func TestGapsAboveASecondAreNoSilenceOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newJumpClock()
		w := newWorld(t, healthwatch.Config{Clock: clock.now})
		w.put(heartbeats(t, "db-1"))
		for at := 500 * time.Millisecond; at < 4*time.Second; at += 500 * time.Millisecond {
			w.until(at)
			clock.jump(3 * time.Second)
		}
		w.until(10 * time.Second)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing")
		if got := w.watch.Stats(); got.Lost != 21*time.Second || got.Absences != 0 {
			t.Errorf("%s lost in %d absences, want 21s and 0", got.Lost, got.Absences)
		}
	})
}

func TestGapsUpToASecondCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newJumpClock()
		w := newWorld(t, healthwatch.Config{Clock: clock.now})
		w.put(heartbeats(t, "db-1"))
		w.until(500 * time.Millisecond)
		clock.jump(800 * time.Millisecond)
		w.until(5 * time.Second)
		w.wantSaid("3.8s db-1 suspect heartbeat-late")
	})
}

func TestAbsenceOfFiveSecondsGivesEveryNodeAWholeGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newJumpClock()
		w := newWorld(t, healthwatch.Config{Clock: clock.now})
		w.put(heartbeats(t, "db-1"))
		w.until(4300 * time.Millisecond) // it is suspect in a moment
		clock.jump(time.Minute)
		w.until(20 * time.Second)
		w.wantSaid("9s db-1 suspect heartbeat-late", "11s db-1 down heartbeat-missing")
		if got := w.watch.Stats(); got.Absences != 1 || strings.Count(w.logged(), "this process was away") != 1 {
			t.Errorf("%d absences, log %q", got.Absences, w.logged())
		}
	})
}

// It is the same whether a heartbeat or the loop notices first.
func TestHeartbeatMayBeTheFirstAfterAnAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newJumpClock()
		w := newWorld(t, healthwatch.Config{Clock: clock.now})
		w.put(heartbeats(t, "db-1"), heartbeats(t, "db-2"))
		w.until(4300 * time.Millisecond)
		clock.jump(time.Minute)
		w.watch.Beat(nodeID(t, "db-2"), home)
		w.until(8500 * time.Millisecond)
		w.wantSaid()
		w.until(8900 * time.Millisecond)
		if got := w.watch.Stats(); got.Nodes[healthwatch.Suspect] == 0 || got.Absences != 1 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestFailedProbesThatBeganBeforeAnAbsenceDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, p := newJumpClock(), newProber()
		p.lasts = 2 * time.Second
		p.answer(errTimeout)
		w := newWorld(t, healthwatch.Config{Clock: clock.now, Probe: p.probe})
		w.put(probed(t, "db-1", identity.CheckTCP, 60))
		for len(p.moments()) == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		clock.jump(time.Minute)
		time.Sleep(3 * time.Second)
		w.wantSaid()
		if got := w.watch.Stats(); got.Failed != 0 || got.Absences != 1 {
			t.Errorf("stats %+v", got)
		}
		for len(p.moments()) == 1 {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		if got := w.statuses(); got != "[suspect probe-failed]" {
			t.Errorf("changes %s after a probe that began later", got)
		}
	})
}

// The monotonic clock stands still while the machine sleeps.
func TestSleepOfTheMachineIsAnAbsence(t *testing.T) {
	clock := healthwatch.SleepingClock()
	for _, row := range []struct{ wall, monotonic, want time.Duration }{
		{time.Second, time.Second, time.Second},
		{time.Hour, 2 * time.Second, time.Hour},                                   // slept, or set forward
		{time.Hour + time.Second, 3 * time.Second, time.Hour + time.Second},       // it goes on
		{time.Minute, 4 * time.Second, time.Hour + 2*time.Second},                 // set back
		{time.Minute + time.Second, 5 * time.Second, time.Hour + 3*time.Second},   // it goes on
		{time.Minute + 6*time.Second, 6 * time.Second, time.Hour + 4*time.Second}, // slewed, a little
	} {
		if got := clock(row.wall, row.monotonic); got != row.want {
			t.Errorf("wall %s, monotonic %s: %s, want %s", row.wall, row.monotonic, got, row.want)
		}
	}
}
