package healthwatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
)

// A prober is told how each address answers, and remembers when it was asked.
type prober struct {
	mu      sync.Mutex
	start   time.Time
	answers map[string]error // by address; guarded by mu
	lasts   time.Duration    // a probe; guarded by mu
	asked   []time.Duration  // since start; guarded by mu
	targets []probe.Target
	at      int // probes at this moment; guarded by mu
	most    int // of them; guarded by mu
}

func newProber() *prober { return &prober{start: time.Now(), answers: map[string]error{}} }

func (p *prober) probe(ctx context.Context, t probe.Target) error {
	p.mu.Lock()
	p.asked, p.targets = append(p.asked, time.Since(p.start)), append(p.targets, t)
	p.at++
	p.most = max(p.most, p.at)
	err, lasts := p.answers[t.Endpoint.Address], p.lasts
	p.mu.Unlock()
	if lasts > 0 { // Go 1.26's race detector crashes over timers of no time in bubbles
		select {
		case <-ctx.Done():
		case <-time.After(lasts):
		}
	}
	p.mu.Lock()
	p.at--
	p.mu.Unlock()
	return err
}

func (p *prober) answer(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[home.String()] = err
}

// moments returns when the probes so far began.
func (p *prober) moments() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Duration(nil), p.asked...)
}

var errTimeout = errors.New("timeout")

// statuses are the new statuses so far, without their moments: those of probes
// are spread.
func (w *world) statuses() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, c := range w.changes {
		all = append(all, fmt.Sprintf("%s %s", c.Status, c.Reason))
	}
	return fmt.Sprint(all)
}

func TestThirdFailedProbeTurnsANodeDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		w.put(probed(t, "db-1", identity.CheckTCP, 10))
		w.until(30100 * time.Millisecond)
		if got := w.statuses(); got != "[]" {
			t.Fatalf("changes while probes are good: %s", got)
		}
		p.answer(errTimeout)
		for failed, want := range []string{"[suspect probe-failed]", "[suspect probe-failed]", "[suspect probe-failed down probe-failed]"} {
			for before := len(p.moments()); len(p.moments()) == before; {
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(400 * time.Millisecond)
			if got := w.statuses(); got != want {
				t.Fatalf("after %d failed probes: %s, want %s", failed+1, got, want)
			}
		}
		p.answer(nil)
		w.until(85100 * time.Millisecond)
		if got, want := w.statuses(), "[suspect probe-failed down probe-failed up recovered]"; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
	})
}

func TestProbesComeAtTheirIntervalGiveOrTakeATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		w.put(probed(t, "db-1", identity.CheckTCP, 10))
		w.until(20 * time.Minute)
		moments := p.moments()
		if len(moments) < 100 || moments[0] > 10*time.Second {
			t.Fatalf("%d probes, the first after %s", len(moments), moments[0])
		}
		differ := map[time.Duration]bool{}
		for i, at := range moments[1:] {
			gap := at - moments[i]
			if gap < 9*time.Second || gap > 11200*time.Millisecond {
				t.Errorf("%s between probes", gap)
			}
			differ[gap] = true
		}
		if len(differ) < 3 {
			t.Errorf("gaps are always the same: %v", differ)
		}
	})
}

// Nodes that come together are not probed together.
func TestFirstProbesAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 1000})
		for i := range 1000 {
			w.put(probed(t, fmt.Sprintf("db-%d", i), identity.CheckTCP, 10))
		}
		w.until(10300 * time.Millisecond)
		ticks := map[time.Duration]int{}
		for _, at := range p.moments() {
			ticks[at]++
		}
		for at, count := range ticks {
			if count > 60 { // 20 are to be expected
				t.Errorf("%d of 1000 probes at %s", count, at)
			}
		}
		if len(p.moments()) < 1000 {
			t.Errorf("%d first probes within the interval, want 1000", len(p.moments()))
		}
	})
}

// The bound is reached, never passed, and no slot is left idle while nodes wait.
func TestProbesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = 10 * time.Millisecond
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 8})
		for i := range 1000 {
			l := probed(t, fmt.Sprintf("db-%d", i), identity.CheckMTLS, 60)
			w.watch.Put(l) // all want to be probed at once
		}
		w.until(1700 * time.Millisecond) // 1000 / 8 * 10 ms and a little
		if len(p.moments()) != 1000 || p.most != 8 {
			t.Errorf("%d probes, %d at once, want 1000 and 8", len(p.moments()), p.most)
		}
		if got := w.watch.Stats(); got.Succeeded != 1000 || got.Probing != 0 || got.Queued != 0 {
			t.Errorf("stats %+v", got)
		}
	})
}

func TestHungProberDoesNotStopTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = time.Hour
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 1})
		w.put(probed(t, "db-1", identity.CheckTCP, 2), probed(t, "db-2", identity.CheckTCP, 2), heartbeats(t, "db-3"))
		w.until(10 * time.Second)
		w.wantSaid("4.6s db-3 suspect heartbeat-late", "6.6s db-3 down heartbeat-missing")
		if got := w.watch.Stats(); got.Probing != 1 || got.Queued != 1 {
			t.Errorf("%d probes under way, %d wait, want 1 and 1", got.Probing, got.Queued)
		}
	})
}

func TestRunEndsItsProbesAndWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = time.Hour
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 4})
		for i := range 10 {
			w.watch.Put(probed(t, fmt.Sprintf("db-%d", i), identity.CheckMTLS, 60))
		}
		w.until(300 * time.Millisecond)
		if p.at != 4 {
			t.Fatalf("%d probes under way, want 4", p.at)
		}
		w.stop()
		if p.at != 0 || len(p.moments()) != 4 {
			t.Errorf("%d probes under way after Run, %d in all, want 0 and 4", p.at, len(p.moments()))
		}
		if got := w.watch.Stats(); got.Succeeded+got.Failed != 0 {
			t.Errorf("probes that were cut off count: %+v", got)
		}
	})
}

func TestNodeThatWantsNoProbesAnyMoreGetsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(errTimeout)
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 1})
		l := probed(t, "db-1", identity.CheckMTLS, 60)
		w.watch.Put(l)
		w.until(time.Second)
		l.Status, l.Check.Type = healthwatch.Down, identity.CheckNone
		w.put(l)
		before := len(p.moments())
		w.until(5 * time.Minute)
		if got := len(p.moments()); got != before {
			t.Errorf("%d probes since", got-before)
		}
		if got, want := w.statuses(), "[down probe-unproven up recovered]"; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
	})
}

// They wait for their turn, and are not there or do not want it any more.
func TestNodesThatWaitForAProbeMayDoWithoutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.lasts = 10 * time.Second
		w := newWorld(t, healthwatch.Config{Probe: p.probe, Probes: 1})
		w.watch.Put(probed(t, "db-1", identity.CheckMTLS, 60))
		w.until(500 * time.Millisecond)
		moved, gone := probed(t, "db-2", identity.CheckMTLS, 60), probed(t, "db-3", identity.CheckMTLS, 60)
		w.watch.Put(moved)
		w.watch.Put(gone)
		w.until(time.Second)
		moved.Check.Type = identity.CheckNone
		w.watch.Put(moved)
		w.watch.Forget(gone.Node)
		w.until(30 * time.Second)
		if got := p.moments(); len(got) != 1 {
			t.Errorf("%d probes, want that of the first node alone", len(got))
		}
	})
}

func TestRefusedProbeIsANoteAndNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		p.answer(&probe.RefusedError{Reason: "192.0.2.1 is link-local"})
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckTCP, 2)
		w.put(l)
		w.until(10 * time.Second)
		w.wantSaid()
		if diff := cmp.Diff([]string{"not probed: 192.0.2.1 is link-local"}, w.watch.Notes(l.Node)); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		if got := w.watch.Stats(); got.Refused < 3 || got.Failed != 0 || got.Succeeded != 0 {
			t.Errorf("stats %+v", got)
		}
		p.answer(nil)
		w.until(15 * time.Second)
		if got := w.watch.Notes(l.Node); len(got) != 0 {
			t.Errorf("notes after a good probe: %q", got)
		}
	})
}

// The policy is asked with the address from which the node connects now.
func TestProbesKnowTheAddressFromWhichTheNodeConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckTCP, 2)
		l.From, l.Loaded = netip.Addr{}, true
		w.put(l)
		w.until(2300 * time.Millisecond)
		w.watch.Beat(l.Node, home)
		w.until(5 * time.Second)
		l.From = netip.MustParseAddr("192.0.2.9")
		w.put(l)
		w.until(8 * time.Second)
		l.From = netip.Addr{}
		w.put(l)
		w.until(11 * time.Second)
		got := map[string]bool{}
		for _, target := range p.targets {
			got[target.From.String()] = true
		}
		if diff := cmp.Diff(map[string]bool{"invalid IP": true, "192.0.2.1": true, "192.0.2.9": true}, got); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		if last := p.targets[len(p.targets)-1].From.String(); last != "192.0.2.9" {
			t.Errorf("the last is %s", last)
		}
	})
}

// Its heartbeats came back while a probe had just failed: it is down for long,
// and suspect now.
func TestNodeThatComesBackHalfIsSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProber()
		w := newWorld(t, healthwatch.Config{Probe: p.probe})
		l := probed(t, "db-1", identity.CheckTCP, 10)
		l.Interval = 2 * time.Second
		w.put(l)
		w.until(2 * time.Minute)
		p.answer(errTimeout)
		w.until(132 * time.Second)
		w.beats(132100*time.Millisecond, 136100*time.Millisecond, 2*time.Second, l.Node)
		w.wantSaid("4.6s db-1 suspect heartbeat-late", "6.6s db-1 down heartbeat-missing", "2m14.2s db-1 suspect probe-failed")
	})
}
