package main_test

import (
	"fmt"
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
	"github.com/neurons-me/netget/internal/testpg"
)

// How often the registry is killed on each store: crashRounds, or what the
// environment says.
const (
	crashRounds    = 3
	crashRoundsVar = "NETGET_CRASH_ROUNDS"
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
	kills, acknowledged, missing int
	ready                        []time.Duration // of each start after a kill
}

func drill(t *testing.T, store string) {
	t.Helper()
	w := newCrashWorld(t, store)
	var seen tally
	t.Cleanup(func() { seen.report(t) })
	for round := range rounds(t) {
		acknowledged := w.registerAndKill(t)
		ready := w.startRegistry(t)
		version, missing := w.verify(t)
		seen.kills++
		seen.acknowledged += acknowledged
		seen.missing += missing
		seen.ready = append(seen.ready, ready)
		say(t, "round %2d: killed after %3d acknowledged, ready again in %4d ms at version %d, %d missing",
			round+1, acknowledged, ready.Milliseconds(), version, missing)
	}
}

func (s *tally) report(t *testing.T) {
	t.Helper()
	verdict := "PASS"
	if t.Failed() {
		verdict = "FAIL"
	}
	if len(s.ready) == 0 {
		say(t, "%s: no round was finished", verdict)
		return
	}
	slices.Sort(s.ready)
	say(t, "%s: %d kills, %d registrations acknowledged, %d missing (limit 0); ready again p50 %d ms, max %d ms",
		verdict, s.kills, s.acknowledged, s.missing, s.ready[len(s.ready)/2].Milliseconds(), s.ready[len(s.ready)-1].Milliseconds())
}

// say adds a line to the report of the drill, which go test shows with -v.
func say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(t.Output(), format+"\n", args...); err != nil {
		t.Error(err)
	}
}

// An attack is one round: at a random moment the process dies.
type attack struct {
	kill func()

	mu           sync.Mutex
	left         int  // moments until the kill; guarded by mu
	over         bool // the kill was ordered; guarded by mu
	acknowledged int  // guarded by mu
}

// moment passes when a node is about to send, and again when it has verified
// its receipt; all others are anywhere between then.
func (a *attack) moment(acknowledged bool) {
	a.mu.Lock()
	if acknowledged {
		a.acknowledged++
	}
	a.left--
	now := a.left == 0
	a.over = a.over || now
	a.mu.Unlock()
	if now {
		a.kill()
	}
}

// isOver reports whether the process is allowed to be gone.
func (a *attack) isOver() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// registerAndKill lets all nodes register over and over until the registry is
// killed, and returns how many registrations were acknowledged before.
func (w *crashWorld) registerAndKill(t *testing.T) int {
	t.Helper()
	// What each node may do at once lasts for 20 moments; see newCrashWorld.
	a := &attack{kill: w.registry.kill, left: len(w.nodes) + rand.IntN(17*len(w.nodes))}
	var nodes errgroup.Group
	for _, n := range w.nodes {
		n.restart(t, w.address)
		nodes.Go(func() error { return n.register(t.Context(), a) })
	}
	if err := nodes.Wait(); err != nil {
		t.Fatalf("registering: %v\n%s", err, w.registry.finalLog())
	}
	w.registry.ended(t)
	if !a.isOver() {
		t.Fatal("all nodes have stopped and nothing was killed")
	}
	return a.acknowledged
}
