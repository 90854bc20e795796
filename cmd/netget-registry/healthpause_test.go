package main_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// TestHealthRegistryThatWasStoppedBlamesNoNode stops the registry's process with
// SIGSTOP for much longer than a node may be silent, while nodes send heartbeats
// that it does not take. Afterwards it turns none of them down: the brake, which
// would hide that, is off. One that was killed meanwhile it does find.
func TestHealthRegistryThatWasStoppedBlamesNoNode(t *testing.T) {
	nodes, pause := 8, 7*time.Second
	if testdrill.Full(t) {
		nodes, pause = 50, longPause
	}
	w := newHealthWorld(t, unbraked()...)
	startSDKNodes(t, w.drillWorld, nodes, healthInterval)
	w.addNodes(t, 1)
	allHeard := func(since time.Time) func() bool {
		return func() bool {
			return w.looks.each(func(p poll) bool { return p.isAnswer() && len(w.heard(p, since)) == nodes })
		}
	}
	eventually(t, healthPatience, "all nodes send heartbeats", allHeard(time.Time{}))
	before, stopped := w.lastEvent(t), time.Now()

	w.registry.signal(t, syscall.SIGSTOP)
	<-time.After(pause)
	signalAll(t, w.nodes, syscall.SIGKILL, 0)
	w.nodes[0].ended(t, syscall.SIGKILL)
	resumed := time.Now()
	w.registry.signal(t, syscall.SIGCONT)
	eventually(t, healthPatience, "all nodes were heard again", allHeard(stopped))
	found := w.after(t, "the dead node is down", map[*nodeProcess]time.Time{w.nodes[0]: resumed}, isDown)
	<-time.After(time.Until(resumed.Add(healthLimit))) // before that, no other could turn down
	w.looks.end()

	downs, suspects := w.blamed(t, before)
	answers := w.checkBlamed(t, nodes+1, resumed)
	testdrill.Say(t, "%s: the registry was stopped for %s: %d of %d living nodes were down afterwards (limit 0), in %d answers and the events; %d were suspect",
		testdrill.Verdict(!t.Failed()), pause, downs, nodes, answers, suspects)
	again := w.heardAgain(stopped, resumed)
	testdrill.Say(t, "      they had a heartbeat of a later time p50 %s, max %s after SIGCONT, by answers that may be 5 s old", again.part(0.5).Round(10*time.Millisecond), again.part(1).Round(10*time.Millisecond))
	found.report(t, "a node that was killed meanwhile is down after SIGCONT", healthLimit)
	if log := w.registry.finalLog(); !strings.Contains(log, "this process was away") {
		t.Errorf("the registry does not say that it was away:\n%s", log)
	}
}

// blamed returns how often the registry's events after an id say that a living
// node was down, and suspect.
func (w *healthWorld) blamed(t *testing.T, after int64) (downs, suspects int) {
	t.Helper()
	for _, e := range w.events(t, after) {
		if e.Node.NodeID == w.nodes[0].id() {
			continue
		}
		switch discovery.Status(e.To) {
		case discovery.Suspect:
			suspects++
		case discovery.Down:
			downs++
			t.Errorf("%s, which lives, was said to be down: %s, %s", e.Node, e.Reason, e.Evidence)
		case discovery.Up:
		}
	}
	return downs, suspects
}

// checkBlamed wants all nodes listed in every answer after a moment, none down
// but the dead one, and returns how many answers there are.
func (w *healthWorld) checkBlamed(t *testing.T, nodes int, since time.Time) (answers int) {
	t.Helper()
	blamed := map[identity.NodeID]int{}
	for _, p := range w.looks.since(since) {
		if !p.isAnswer() {
			continue // asked before
		}
		answers++
		if len(p.found.Nodes) != nodes || len(p.found.LeftOut) != 0 {
			t.Errorf("%d nodes are listed and %d left out, want %d and none", len(p.found.Nodes), len(p.found.LeftOut), nodes)
		}
		for i := range p.found.Nodes {
			if n := &p.found.Nodes[i]; isDown(n) && n.Record.Node != w.nodes[0].id() {
				blamed[n.Record.Node]++
			}
		}
	}
	for id, times := range blamed {
		t.Errorf("%s, which lives, was down in %d of %d answers", id, times, answers)
	}
	return answers
}

// heard returns the living nodes that are active by a heartbeat of a time after
// since.
func (w *healthWorld) heard(p poll, since time.Time) (ids []identity.NodeID) {
	for _, n := range p.found.Nodes {
		of := time.Unix(n.Record.IAT+n.Beat.K*n.Record.Heartbeat.Interval, 0)
		if n.Active() && n.Beat.K > 0 && of.After(since) && n.Record.Node != w.nodes[0].id() {
			ids = append(ids, n.Record.Node)
		}
	}
	return ids
}

// heardAgain returns for each node how long after a moment a client had a
// heartbeat of a time after since.
func (w *healthWorld) heardAgain(since, moment time.Time) (took spread) {
	seen := map[identity.NodeID]bool{}
	for _, p := range w.looks.since(moment) {
		if !p.isAnswer() {
			continue
		}
		for _, id := range w.heard(p, since) {
			if !seen[id] {
				seen[id], took = true, append(took, p.at.Sub(moment))
			}
		}
	}
	return took
}

// lastEvent returns the id of the newest event.
func (w *healthWorld) lastEvent(t *testing.T) (id int64) {
	t.Helper()
	for _, e := range w.events(t, 0) {
		id = e.ID
	}
	return id
}
