package healthwatch_test

import (
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

func TestKilledNodeIsDownWithinThreeIntervalsAndASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(2100*time.Millisecond, 8100*time.Millisecond, 2*time.Second, l.Node) // the last at 8.1 s
		w.until(time.Minute)
		w.wantSaid("12.6s db-1 suspect heartbeat-late", "14.6s db-1 down heartbeat-missing")
		if got := w.watch.Stats(); got.Beats != 4 || got.Nodes[healthwatch.Down] != 1 || got.Changes != [4]int64{healthwatch.Suspect: 1, healthwatch.Down: 1} {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestNodeThatIsHeardIsNeverSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(2100*time.Millisecond, 10*time.Minute, 4*time.Second, l.Node) // every second one is lost
		w.wantSaid()
		got := w.watch.Stats()
		if want := got.Beats - 1; got.Lateness.UpTo[3] != want || got.Lateness.Sum.Round(time.Second) != time.Duration(want)*2*time.Second {
			t.Errorf("lateness of %d heartbeats: %+v, want %d of 2 s", got.Beats, got.Lateness, want)
		}
	})
}

func TestNodeIsUpAgainAfterTwoHeartbeatsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(10100*time.Millisecond, 12100*time.Millisecond, 2*time.Second, l.Node)
		w.until(12300 * time.Millisecond)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing", "12.2s db-1 up recovered")
	})
}

func TestTwoHeartbeatsWithSilenceBetweenDoNotBringANodeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(10100*time.Millisecond, time.Minute, 5*time.Second, l.Node)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing")
	})
}

func TestRulesOfANetworkApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{Rules: healthwatch.Rules{Missed: 5, Good: 1, Slack: time.Second}})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(20100*time.Millisecond, 20100*time.Millisecond, time.Second, l.Node)
		w.until(20300 * time.Millisecond)
		w.wantSaid("5s db-1 suspect heartbeat-late", "11s db-1 down heartbeat-missing", "20.2s db-1 up recovered")
	})
}

func TestRecordOfTheSameEpochKeepsHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.until(5100 * time.Millisecond)
		l.Status, l.From = healthwatch.Suspect, netip.Addr{} // since 4.6 s; somebody else brings it
		w.put(l)
		w.until(10 * time.Second)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing")
	})
}

func TestNodeThatSignsAnewLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.until(4 * time.Second)
		w.put(l)
		w.until(20 * time.Second)
		w.wantSaid("8.6s db-1 suspect heartbeat-late", "10.6s db-1 down heartbeat-missing")
	})
}

// A status that got lost on its way is proposed again with the next record.
func TestRecordThatIsListedOtherwiseIsProposedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.until(7100 * time.Millisecond)
		w.put(l)
		w.until(10 * time.Second)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing", "7.2s db-1 down heartbeat-missing")
	})
}

func TestNewIntervalCountsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		l.Interval = time.Minute
		w.put(l)
		w.until(100 * time.Millisecond)
		l.Interval = 2 * time.Second
		w.put(l)
		w.until(5100 * time.Millisecond)
		w.wantSaid("4.6s db-1 suspect heartbeat-late")
	})
}

func TestNewEpochForgetsHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.until(6100 * time.Millisecond)
		l.Epoch = 2
		w.put(l) // its whole time begins at 6.1 s
		w.until(20 * time.Second)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "10.6s db-1 suspect heartbeat-late", "12.6s db-1 down heartbeat-missing")
		if got := w.changes[len(w.changes)-1].Epoch; got != 2 {
			t.Errorf("epoch %d was judged, want 2", got)
		}
	})
}

func TestForgottenNodeIsNeverMentionedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.until(5 * time.Second)
		w.watch.Forget(l.Node)
		w.watch.Forget(nodeID(t, "unknown"))
		w.watch.Beat(l.Node, home)
		w.until(time.Minute)
		w.wantSaid("4.6s db-1 suspect heartbeat-late")
		if got := w.watch.Stats(); got.Nodes != [4]int64{} || got.Beats != 0 {
			t.Errorf("stats %+v, want of no node", got)
		}
	})
}

func TestNodeThatIsForgottenBeforeItsChangeWasProposedIsNotMentioned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		l := heartbeats(t, "db-1")
		w.put(l)
		w.beats(10100*time.Millisecond, 12100*time.Millisecond, 2*time.Second, l.Node)
		w.watch.Forget(l.Node) // it was up again a moment ago
		w.until(20 * time.Second)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing")
	})
}

// After a restart nodes are believed to be as they were listed, and have their
// time from when the watch begins to listen, however long loading took.
func TestLoadedNodesHaveTheirTimeFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newIdleWorld(t, healthwatch.Config{})
		up, down := heartbeats(t, "db-1"), heartbeats(t, "db-2")
		down.Status = healthwatch.Down
		w.put(up)
		w.until(time.Minute)
		w.put(down)
		w.run() // its moments are a minute and multiples of 200 ms
		w.until(70100 * time.Millisecond)
		w.wantSaid("1m4.6s db-1 suspect heartbeat-late", "1m6.6s db-1 down heartbeat-missing")
		if got := w.watch.Stats(); got.Absences != 0 || w.logged() != "" {
			t.Errorf("%d absences, log %q, want none", got.Absences, w.logged())
		}
	})
}

func TestNewRefusesBadConfigurations(t *testing.T) {
	good := healthwatch.Config{Propose: func(healthwatch.Proposal) {}, Logger: slog.New(slog.DiscardHandler)}
	for name, change := range map[string]func(*healthwatch.Config){
		"without Propose":     func(c *healthwatch.Config) { c.Propose = nil },
		"without a logger":    func(c *healthwatch.Config) { c.Logger = nil },
		"one missed":          func(c *healthwatch.Config) { c.Rules.Missed = 1 },
		"negative failures":   func(c *healthwatch.Config) { c.Rules.Failed = -1 },
		"too many good signs": func(c *healthwatch.Config) { c.Rules.Good = healthwatch.MostRule + 1 },
		"negative slack":      func(c *healthwatch.Config) { c.Rules.Slack = -1 },
		"negative share":      func(c *healthwatch.Config) { c.Brake.Share = -0.1 },
		"share above 1":       func(c *healthwatch.Config) { c.Brake.Share = 1.1 },
		"an endless brake":    func(c *healthwatch.Config) { c.Brake.Max = healthwatch.MostBrake + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			change(&cfg)
			if w, err := healthwatch.New(cfg); err == nil || w != nil {
				t.Errorf("got %v, %v, want an error", w, err)
			}
		})
	}
	if _, err := healthwatch.New(good); err != nil {
		t.Error(err)
	}
}

func TestUnknownNodeHasNoNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, healthwatch.Config{})
		if diff := cmp.Diff([]string{}, w.watch.Notes(identity.NodeID{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
