package main_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testdrill"
	"github.com/neurons-me/netget/internal/testpg"
)

// How often the registry is killed on each store: crashRounds, or what the
// environment says.
const (
	crashRounds    = 3
	crashRoundsVar = "NETGET_CRASH_ROUNDS"
)

// In the whole drill the nodes offer crashRate registrations a second together,
// and the registry should be ready readyLimit after the time that its store
// takes to load. How long that is, loads undisturbed starts tell.
const (
	crashRate  = 500
	readyLimit = time.Second
	loadEvery  = 10 // rounds

	connectAtOnce = 8
)

// TestCrash kills the registry's process in the middle of registrations, starts
// it again on the same store and port, and wants every registration there that
// a node holds a verified receipt for. All that is looked at is verified, and
// nodes and watcher keep their marks over all rounds, so a log that has gone
// back, or on beside itself, fails the test too.
func TestCrash(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		drill(t, database.URL(filepath.Join(t.TempDir(), "registry.db")))
	})
	t.Run("postgres", func(t *testing.T) { drill(t, testpg.URL(t)) })
}

func rounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv(crashRoundsVar)
	if text == "" {
		return crashRounds
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number of rounds", crashRoundsVar, text)
	}
	return n
}

// A tally is what a drill has seen.
type tally struct {
	kills, offered, acknowledged, silence, missing int

	load   time.Duration // for which the nodes were registering
	ready  spread        // of each start after a kill
	loaded spread        // of undisturbed starts, every now and then
	over   spread        // by how much each start after a kill took longer than the last of those

	finished bool
}

func drill(t *testing.T, store string) {
	t.Helper()
	w := newCrashWorld(t, store)
	var seen tally
	t.Cleanup(func() { seen.report(t) })
	for round := range rounds(t) {
		a := w.registerAndKill(t)
		ready := w.startRegistry(t)
		version, missing := w.verify(t)
		seen.kills++
		seen.offered += a.offered
		seen.acknowledged += a.acknowledged
		seen.silence += a.silence
		seen.load += a.lasted
		seen.missing += missing
		seen.ready = append(seen.ready, ready)
		testdrill.Say(t, "round %3d: killed after %4d acknowledged, ready again in %4d ms at version %d, %d missing",
			round+1, a.acknowledged, ready.Milliseconds(), version, missing)
		if round%loadEvery == 0 {
			w.registry.stop(t)
			seen.loaded = append(seen.loaded, w.startRegistry(t))
		}
		seen.over = append(seen.over, ready-seen.loaded[len(seen.loaded)-1])
	}
	seen.finished = true
	if seen.acknowledged == 0 {
		t.Error("nothing was acknowledged in all rounds")
	}
}

func (s *tally) report(t *testing.T) {
	t.Helper()
	if !s.finished {
		testdrill.Say(t, "FAIL: the drill did not come to its end")
		return
	}
	testdrill.Say(t, "%s: %d kills, %d registrations acknowledged, %d missing (limit 0)",
		testdrill.Verdict(!t.Failed()), s.kills, s.acknowledged, s.missing)
	testdrill.Say(t, "%s: ready again p50 %s, max %s; p50 %s and max %s after the load time of an undisturbed start (limit %s)",
		testdrill.Verdict(slices.Max(s.over) <= readyLimit), ms(s.ready.part(0.5)), ms(slices.Max(s.ready)), ms(s.over.part(0.5)), ms(slices.Max(s.over)), readyLimit)
	testdrill.Say(t, "      load time, with a store that grows: first %s, last %s", ms(s.loaded[0]), ms(s.loaded[len(s.loaded)-1]))
	testdrill.Say(t, "      %.0f registrations a second were offered, %.0f acknowledged, for %.1f s in all; %d were not answered before a kill",
		float64(s.offered)/s.load.Seconds(), float64(s.acknowledged)/s.load.Seconds(), s.load.Seconds(), s.silence)
}

// An attack is one round: at a random moment the process dies.
type attack struct {
	kill  func()
	turns <-chan time.Time // a node may register at each; nil: all as fast as they can
	over  chan struct{}    // closed when the kill is ordered

	mu           sync.Mutex
	left         int // moments until the kill; guarded by mu
	offered      int // guarded by mu
	acknowledged int // guarded by mu
	silence      int // requests that failed before the kill; guarded by mu

	began  time.Time
	lasted time.Duration // until the kill was ordered
}

// moment passes when a node is about to send, and again when it has verified
// its receipt; all others are anywhere between then.
func (a *attack) moment(acknowledged bool) {
	a.mu.Lock()
	if acknowledged {
		a.acknowledged++
	} else {
		a.offered++
	}
	a.left--
	now := a.left == 0
	if now {
		a.lasted = time.Since(a.began)
		close(a.over)
	}
	a.mu.Unlock()
	if now {
		a.kill()
	}
}

// unanswered counts a request that failed although the registry was not killed.
func (a *attack) unanswered() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.silence++
}

// takeTurn waits until the node may register, or reports that it need not any
// more.
func (a *attack) takeTurn() bool {
	if a.turns == nil {
		return !a.isOver()
	}
	select {
	case <-a.over:
		return false
	case <-a.turns:
		return true
	}
}

// isOver reports whether the process is allowed to be gone.
func (a *attack) isOver() bool {
	select {
	case <-a.over:
		return true
	default:
		return false
	}
}

// registerAndKill lets all nodes register over and over until the registry is
// killed.
func (w *crashWorld) registerAndKill(t *testing.T) *attack {
	t.Helper()
	// What each node may do at once lasts for 20 moments; see fewCrashNodes.
	a := &attack{kill: w.registry.kill, left: len(w.nodes) + rand.IntN(17*len(w.nodes)), over: make(chan struct{})}
	if testdrill.Full(t) {
		pace := time.NewTicker(time.Second / crashRate)
		defer pace.Stop()
		a.turns = pace.C
	}
	var connecting, registering errgroup.Group
	connecting.SetLimit(connectAtOnce)
	for _, n := range w.nodes {
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		connecting.Go(func() error { return n.connect(t.Context()) })
	}
	if err := connecting.Wait(); err != nil {
		t.Fatalf("connecting: %v\n%s", err, w.registry.finalLog())
	}
	a.began = time.Now()
	for _, n := range w.nodes {
		registering.Go(func() error { return n.register(t.Context(), a) })
	}
	if err := registering.Wait(); err != nil {
		t.Fatalf("registering: %v\n%s", err, w.registry.finalLog())
	}
	w.registry.ended(t)
	if !a.isOver() {
		t.Fatal("all nodes have stopped and nothing was killed")
	}
	return a
}
