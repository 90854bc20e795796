package main_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/internal/testdrill"
)

// TestHealthMassFailureIsHeldAndEnds kills more than half of the nodes at once.
// The registry then holds downs back and says so in its signed head, its events
// and its log, for as long as it is configured to; after that they are down.
func TestHealthMassFailureIsHeldAndEnds(t *testing.T) {
	nodes, most := 8, 3*time.Second
	if testdrill.Full(t) {
		nodes, most = 30, 20*time.Second
	}
	w := newHealthWorld(t, "--brake-max", most.String())
	w.addNodes(t, nodes)
	before := w.lastEvent(t)

	dead, alive := w.nodes[:max(6, nodes*6/10)], w.nodes[max(6, nodes*6/10):]
	killed := time.Now()
	for n := range signalAll(t, dead, syscall.SIGKILL, 0) {
		n.ended(t, syscall.SIGKILL)
	}
	w.waitProblem(t, "the brake holds: too many nodes fail at once")
	w.wait(t, "the dead are down", dead, killed, isDown)
	ended := time.Now()
	w.wait(t, "the living are up", alive, ended, isUp)
	w.waitProblem(t, "")

	began, lasted := w.checkBrake(t, killed)
	seen := w.checkBrakeEvents(t, before, dead)
	testdrill.Say(t, "%s: %d of %d nodes were killed at once: the brake held %s later for %s (limit %s and a second); a client saw it in the signed head, and no node down meanwhile",
		testdrill.Verdict(!t.Failed() && lasted <= most+time.Second), len(dead), nodes, began.Sub(killed).Round(10*time.Millisecond), lasted.Round(10*time.Millisecond), most)
	testdrill.Say(t, "%s: %d were down before it held (limit 0), all %d %s after they were killed, in the events after brake-off",
		testdrill.Verdict(seen.early == 0), seen.early, len(dead), ended.Sub(killed).Round(10*time.Millisecond))
	testdrill.Say(t, "%s: %d of the %d living nodes were ever down (limit 0); %d were suspect", testdrill.Verdict(seen.falseDowns == 0), seen.falseDowns, len(alive), seen.suspects)
	log := w.registry.finalLog()
	for _, want := range []string{"brake: too many nodes fail at once", "brake ended"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

// checkBrake wants that a client has seen the brake in signed heads, and no node
// down in an answer under one. It returns when that began, and for how long it
// was so.
func (w *healthWorld) checkBrake(t *testing.T, since time.Time) (began time.Time, lasted time.Duration) {
	t.Helper()
	for _, p := range w.looks.since(since) {
		if !p.isAnswer() || p.found.Registries[0].Head.Notice != discovery.BrakeNotice {
			continue
		}
		if began.IsZero() {
			began = p.at
		}
		lasted = p.at.Sub(began)
		for i := range p.found.Nodes {
			if n := &p.found.Nodes[i]; isDown(n) && n.Since > began.Unix() {
				t.Errorf("%s is down under the brake", n.Record.Node)
			}
		}
	}
	if began.IsZero() {
		t.Fatalf("no client has seen the brake\n%s", w.registry.finalLog())
	}
	return began, lasted
}

// brakeEvents are what the registry's events tell of a mass failure.
type brakeEvents struct {
	early                int // of the dead, down before the brake held
	suspects, falseDowns int // of the living
}

// checkBrakeEvents reads the events after an id: those of the brake come once
// each, no node turns down between them, and none that lives ever does. Before
// them no more turn down than the brake lets.
func (w *healthWorld) checkBrakeEvents(t *testing.T, after int64, dead []*nodeProcess) (seen brakeEvents) {
	t.Helper()
	isDead := map[discovery.Subject]bool{}
	for _, n := range dead {
		isDead[discovery.Subject{NodeID: n.id()}] = true
	}
	var brakes []string
	for _, e := range w.events(t, after) {
		switch down := e.To == discovery.Standing(discovery.Down); {
		case e.Node.IsZero():
			brakes = append(brakes, e.Reason)
		case !isDead[e.Node] && down:
			seen.falseDowns++
			t.Errorf("%s, which lives, was said to be down: %s", e.Node, e.Evidence)
		case !isDead[e.Node] && e.To == discovery.Standing(discovery.Suspect):
			seen.suspects++
		case down && len(brakes) == 0:
			seen.early++
		case down && len(brakes) == 1:
			t.Errorf("%s turned down under the brake", e.Node)
		}
	}
	if got := strings.Join(brakes, " "); got != "brake-on brake-off" {
		t.Errorf("events of the brake: %q, want it on and off", got)
	}
	if seen.early > max(5, len(w.nodes)*3/10) {
		t.Errorf("%d of %d nodes were down before the brake held", seen.early, len(w.nodes))
	}
	return seen
}
