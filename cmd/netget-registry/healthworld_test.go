package main_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// What every health drill has in common.
const (
	healthInterval = 2 * time.Second // of heartbeats
	healthLimit    = 3*healthInterval + time.Second
	backLimit      = 2*healthInterval + time.Second // two good heartbeats
	leftLimit      = time.Second                    // for a node that ends politely
	lookEvery      = 50 * time.Millisecond
	healthPatience = time.Minute // far more than anything takes
	startAtOnce    = 4

	enoughReads = "1000" // a second, for who looks so often
)

// A healthWorld is a registry with nodes that die, a client that looks on and
// verifies what it is told, and an operator who reads the registry's events.
type healthWorld struct {
	*drillWorld
	nodes    []*nodeProcess
	looks    *polls
	operator *identity.Source
}

// newHealthWorld starts a registry without nodes.
func newHealthWorld(t *testing.T, flags ...string) *healthWorld {
	t.Helper()
	if !testdrill.Full(t) {
		t.Parallel() // most of it is waiting
	}
	w := &healthWorld{drillWorld: newDrillWorld(t)}
	w.flags = append([]string{"--read-rate", enoughReads, "--read-burst", enoughReads}, flags...)
	w.start(t)
	w.operator = w.enrolNamed(t, "operator", "olga")
	w.looks = startPolls(t, w.drillWorld, 1, lookEvery)
	return w
}

// addNodes starts so many nodes, each a process of its own, and waits until all
// are up.
func (w *healthWorld) addNodes(t *testing.T, count int) {
	t.Helper()
	for i := range count {
		n := &nodeProcess{source: w.enrolNamed(t, "databaseservice", fmt.Sprintf("process-%d", i))}
		t.Cleanup(func() { n.finalLog() })
		w.nodes = append(w.nodes, n)
	}
	w.startNodes(t)
}

// startNodes starts the processes of all nodes, and waits until they are up.
func (w *healthWorld) startNodes(t *testing.T) {
	t.Helper()
	began := time.Now()
	var starting errgroup.Group
	starting.SetLimit(startAtOnce)
	for _, n := range w.nodes {
		starting.Go(func() error { return n.start(t.Context(), "https://"+w.address) })
	}
	if err := starting.Wait(); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "all nodes are up", w.nodes, began, isUp)
}

// events returns all that the registry tells after an id.
func (w *healthWorld) events(t *testing.T, after int64) []discovery.Event {
	t.Helper()
	client := w.newDiscovery(t, w.operator, discovery.NewMarks(), time.Now)
	defer client.Close()
	page, _, err := client.Events(t.Context(), client.Remotes()[0], discovery.EventsQuery{After: after, Limit: discovery.MaxEvents})
	if err != nil {
		t.Fatalf("reading events: %v", err)
	}
	return page.Events
}

// signalAll sends a signal to nodes, each at a random moment of so much time, and
// returns when each had it.
func signalAll(t *testing.T, nodes []*nodeProcess, s syscall.Signal, spread time.Duration) map[*nodeProcess]time.Time {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	sent := map[*nodeProcess]time.Time{}
	for _, n := range nodes {
		all.Go(func() {
			at := n.signal(t, s, spread)
			mu.Lock()
			defer mu.Unlock()
			sent[n] = at
		})
	}
	all.Wait()
	return sent
}
