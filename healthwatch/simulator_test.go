package healthwatch_test

import (
	"bytes"
	"container/heap"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// What every simulated network has in common.
const (
	simInterval = 15 * time.Second
	simTick     = 200 * time.Millisecond
	simJitter   = 300 * time.Millisecond // of a heartbeat's way
	simPause    = 20 * time.Second       // of a node, at most
	simRest     = time.Minute            // between two of a node, at least
	simPauses   = 8 * time.Minute        // and this on top, at most
	simLoss     = 0.01                   // of heartbeats
	simTimeout  = 10 * time.Second       // of a node that waits for a registry that is stopped
	simFound    = 3*simInterval + time.Second
)

// A simulation lets a network's nodes and its registry act at moments of a time
// of its own.
type simulation struct {
	t     *testing.T
	rand  *rand.Rand
	watch *healthwatch.Watch
	log   bytes.Buffer
	nodes []*simNode
	byID  map[identity.NodeID]*simNode

	now    time.Duration
	events simEvents
	lasts  time.Duration

	gap     func() time.Duration // until the registry's next look; nil: a tick
	looked  time.Duration        // when it did last
	resumes time.Duration        // when it looks next
	awake   time.Duration        // what it ran, in ticks

	suspects, downs, falseDowns, ups int
	earlier                          int           // of the downs, nodes that paused when they were cut off
	firstDown, found                 time.Duration // when, but for the earlier ones; after a node's death, at most
}

// A simNode sends heartbeats as the SDK's publisher does.
type simNode struct {
	id       identity.NodeID
	from     time.Duration // its heartbeats are due at multiples of the interval from here
	failures int
	paused   time.Duration // until then
	cut      time.Duration // since when its heartbeats do not arrive; 0: they do
	heard    time.Duration // last
	dead     bool          // it sends none
	died     time.Duration // in the registry's waking time
	down     bool          // as the watch says
}

// simSize is how large a simulation is, and how long.
func simSize(t *testing.T) (nodes int, lasts time.Duration) {
	t.Helper()
	if testdrill.Full(t) {
		return 10_000, 30 * time.Minute
	}
	return 1000, 5 * time.Minute
}

func newSimulation(t *testing.T, brake time.Duration) *simulation {
	t.Helper()
	count, lasts := simSize(t)
	s := &simulation{t: t, rand: rand.New(rand.NewPCG(1, 2)), byID: map[identity.NodeID]*simNode{}, lasts: lasts}
	var err error
	s.watch, err = healthwatch.New(healthwatch.Config{
		Brake: healthwatch.Brake{Max: brake}, Propose: s.propose,
		Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Clock: func() time.Duration { return s.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		s.add(fmt.Sprintf("db-%d", i))
	}
	s.watch.Begin()
	return s
}

func (s *simulation) add(label string) {
	l := heartbeats(s.t, label)
	l.Interval = simInterval
	if _, ok := s.watch.Put(l); ok {
		s.t.Fatal("a node has to change at once")
	}
	n := &simNode{id: l.Node, from: s.below(simInterval)}
	s.nodes, s.byID[l.Node] = append(s.nodes, n), n
	s.at(n.from, func() { s.send(n) })
	s.at(s.below(simPauses), func() { s.pause(n) })
}

// run lets everything happen until the end.
func (s *simulation) run() {
	s.at(simTick, s.tick)
	for len(s.events) > 0 && s.events[0].at <= s.lasts {
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		e.do()
	}
}

// tick is the registry's loop.
func (s *simulation) tick() {
	s.awake += simTick
	s.watch.Step(s.t.Context(), new(sync.WaitGroup))
	gap := simTick
	if s.gap != nil {
		gap = s.gap()
	}
	s.looked, s.resumes = s.now, s.now+gap
	s.at(s.resumes, s.tick)
}

func (s *simulation) pause(n *simNode) {
	n.paused = s.now + s.below(simPause)
	s.at(n.paused+simRest+s.below(simPauses), func() { s.pause(n) })
}

// send is a node's attempt to send a heartbeat.
func (s *simulation) send(n *simNode) {
	switch {
	case n.dead:
	case n.paused > s.now:
		s.at(n.paused, func() { s.send(n) })
	case s.resumes > s.now+simTimeout:
		s.again(n, simTimeout)
	case n.cut > 0 || s.rand.Float64() < simLoss:
		s.again(n, 0)
	default:
		n.failures = 0
		s.at(s.now+s.below(simJitter), func() { s.arrive(n) })
		s.at(s.now+simInterval-(s.now-n.from)%simInterval, func() { s.send(n) })
	}
}

// again has a node try again that misses the reply after a while: at once, where
// the connection broke.
func (s *simulation) again(n *simNode, missed time.Duration) {
	n.failures++
	wait := min(simInterval, time.Second<<min(n.failures-1, 10))
	s.at(s.now+missed+wait-wait/8+s.below(wait/4), func() { s.send(n) })
}

// arrive hands a heartbeat to the registry; one that is stopped takes it when it
// goes on.
func (s *simulation) arrive(n *simNode) {
	if s.resumes > s.now+simTick {
		s.at(s.resumes, func() { s.arrive(n) })
		return
	}
	n.heard = s.now
	s.watch.Beat(n.id, home)
}

func (s *simulation) kill(n *simNode) {
	n.dead, n.died = true, s.awake+min(simTick, s.now-s.looked)
}

func (s *simulation) propose(p healthwatch.Proposal) {
	for _, c := range p.Changes {
		n := s.byID[c.Node]
		n.down = c.Status == healthwatch.Down
		switch {
		case c.Status == healthwatch.Up:
			s.ups++
		case c.Status == healthwatch.Suspect:
			s.suspects++
		case n.cut > 0 && n.heard < n.cut-simInterval-2*time.Second:
			s.earlier++
		case !n.dead && n.cut == 0:
			s.falseDowns++
			s.t.Errorf("at %s %s is down and is not: %s", s.now, n.id.Label(), c.Evidence)
		}
		if n.down {
			s.noteDown(n)
		}
	}
}

func (s *simulation) noteDown(n *simNode) {
	s.downs++
	if n.dead {
		s.found = max(s.found, s.awake-n.died)
	}
	if s.firstDown == 0 && s.downs > s.earlier {
		s.firstDown = s.now
	}
}

// report prints the figures.
func (s *simulation) report() {
	s.t.Helper()
	got := s.watch.Stats()
	testdrill.Say(s.t, "%s: %d simulated nodes for %s: %d false downs (limit 0)", testdrill.Verdict(s.falseDowns == 0), len(s.nodes), s.lasts, s.falseDowns)
	testdrill.Say(s.t, "      %d heartbeats, %d turned suspect, %d down, %d up; %d brakes, %d absences, %s lost to the registry",
		got.Beats, s.suspects, s.downs, s.ups, got.Brakes, got.Absences, got.Lost.Round(time.Millisecond))
}

// wantDown requires that exactly the dead nodes are down, or those that are cut
// off.
func (s *simulation) wantDown() {
	s.t.Helper()
	missed := 0
	for _, n := range s.nodes {
		if !n.down && (n.cut > 0 || n.dead && s.awake-n.died > simFound) {
			missed++
		}
	}
	if missed > 0 {
		s.t.Errorf("%d nodes are gone and not down", missed)
	}
}

func (s *simulation) below(d time.Duration) time.Duration {
	return time.Duration(s.rand.Int64N(int64(d)))
}

func (s *simulation) at(at time.Duration, do func()) { heap.Push(&s.events, simEvent{at, do}) }

type simEvent struct {
	at time.Duration
	do func()
}

type simEvents []simEvent

func (h simEvents) Len() int           { return len(h) }
func (h simEvents) Less(i, j int) bool { return h[i].at < h[j].at }
func (h simEvents) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *simEvents) Push(x any)        { *h = append(*h, x.(simEvent)) }
func (h *simEvents) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
