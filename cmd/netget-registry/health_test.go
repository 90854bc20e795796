package main_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/internal/testdrill"
)

// unbraked is for registries whose nodes are killed on purpose.
func unbraked() []string { return []string{"--brake-share", "100%"} }

// TestHealthKilledNodesTurnDown kills the processes of nodes with SIGKILL, at
// random moments of their heartbeats. A client sees each of them listed as down
// soon, the registry says why, and when they are started again they are up.
func TestHealthKilledNodesTurnDown(t *testing.T) {
	nodes, rounds := 3, 1
	if testdrill.Full(t) {
		nodes, rounds = 10, 10
	}
	w := newHealthWorld(t, unbraked()...)
	w.addNodes(t, nodes)
	var took spread
	for round := range rounds {
		if round > 0 {
			w.startNodes(t)
		}
		began := time.Now()
		killed := signalAll(t, w.nodes, syscall.SIGKILL, healthInterval)
		for n := range killed {
			n.ended(t, syscall.SIGKILL)
		}
		took = append(took, w.after(t, "killed nodes are down", killed, isDown)...)
		w.checkLooks(t, began, time.Now())
	}
	took.report(t, "nodes killed with SIGKILL are down at a client", healthLimit)
	w.checkDowns(t, rounds)
}

// checkDowns wants each node to have turned down so often by the registry's
// events, for its silence.
func (w *healthWorld) checkDowns(t *testing.T, times int) {
	t.Helper()
	downs := map[discovery.Subject]int{}
	for _, e := range w.events(t, 0) {
		if e.To != discovery.Standing(discovery.Down) {
			continue
		}
		downs[e.Node]++
		if e.Reason != string(healthwatch.HeartbeatMissing) || !strings.HasPrefix(e.Evidence, "no heartbeat for ") {
			t.Errorf("%s turned down for %q, %q", e.Node, e.Reason, e.Evidence)
		}
	}
	for _, n := range w.nodes {
		if got := downs[discovery.Subject{NodeID: n.id()}]; got != times {
			t.Errorf("the events of %s tell of %d times down, want %d", n.id(), got, times)
		}
	}
	testdrill.Say(t, "%s: %d of %d downs stand in /v1/events with their reason (limit all); every node stayed listed", testdrill.Verdict(!t.Failed()), len(w.nodes)*times, len(w.nodes)*times)
}

// TestHealthStoppedNodesTurnDownAndComeBack stops the processes of nodes with
// SIGSTOP, lets them go on when they are down, and ends them politely when they
// are up.
func TestHealthStoppedNodesTurnDownAndComeBack(t *testing.T) {
	nodes, rounds := 3, 1
	if testdrill.Full(t) {
		nodes, rounds = 10, 4
	}
	w := newHealthWorld(t, unbraked()...)
	w.addNodes(t, nodes)
	var down, up, gone spread
	for round := range rounds {
		if round > 0 {
			w.startNodes(t)
		}
		began := time.Now()
		down = append(down, w.after(t, "stopped nodes are down", signalAll(t, w.nodes, syscall.SIGSTOP, healthInterval), isDown)...)
		up = append(up, w.after(t, "resumed nodes are up", signalAll(t, w.nodes, syscall.SIGCONT, healthInterval), isUp)...)
		w.checkLooks(t, began, time.Now())
		ended := signalAll(t, w.nodes, syscall.SIGTERM, healthInterval)
		for n := range ended {
			n.ended(t, 0)
		}
		gone = append(gone, w.after(t, "ended nodes are gone", ended, isGone)...)
	}
	down.report(t, "nodes stopped with SIGSTOP are down at a client", healthLimit)
	up.report(t, "after SIGCONT they are up again", backLimit)
	gone.report(t, "nodes that end at SIGTERM are listed no more", leftLimit)
	w.checkDowns(t, rounds)
	for _, n := range w.nodes {
		if got := w.count(t, n, string(healthwatch.Recovered)); got != rounds {
			t.Errorf("%s recovered %d times, want %d", n.id(), got, rounds)
		}
		if got := w.count(t, n, "deregistered"); got != rounds {
			t.Errorf("%s deregistered %d times, want %d", n.id(), got, rounds)
		}
	}
}

// count returns how many events of a node have a reason.
func (w *healthWorld) count(t *testing.T, n *nodeProcess, reason string) (count int) {
	t.Helper()
	for _, e := range w.events(t, 0) {
		if e.Node.NodeID == n.id() && e.Reason == reason {
			count++
		}
	}
	return count
}
