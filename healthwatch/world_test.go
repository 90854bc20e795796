package healthwatch_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// A world is a running watch in a bubble of synctest, and what it has said.
type world struct {
	t     *testing.T
	watch *healthwatch.Watch
	start time.Time
	stop  func() // ends Run and waits for it

	mu      sync.Mutex
	log     bytes.Buffer         // guarded by mu
	said    []string             // the changes, as "4.6s db-1 suspect heartbeat-late"; guarded by mu
	changes []healthwatch.Change // guarded by mu
	braked  bool                 // as proposed last; guarded by mu
}

// newWorld starts a watch; it must be called in a bubble.
func newWorld(t *testing.T, cfg healthwatch.Config) *world {
	t.Helper()
	w := newIdleWorld(t, cfg)
	w.run()
	return w
}

// newIdleWorld has a watch that does not run yet.
func newIdleWorld(t *testing.T, cfg healthwatch.Config) *world {
	t.Helper()
	w := &world{t: t, start: time.Now()}
	cfg.Propose = w.propose
	cfg.Logger = slog.New(slog.NewTextHandler(w, nil))
	var err error
	if w.watch, err = healthwatch.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.watch.Run(ctx)
	}()
	w.stop = func() { cancel(); <-done }
	w.t.Cleanup(w.stop)
}

func (w *world) propose(p healthwatch.Proposal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.braked = p.Brake
	w.changes = append(w.changes, p.Changes...)
	for _, c := range p.Changes {
		w.said = append(w.said, fmt.Sprintf("%s %s %s %s", time.Since(w.start), c.Node.Label(), c.Status, c.Reason))
	}
}

// Write takes the log.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// until lets time go on to a moment after the start. The watch looks at whole
// multiples of 200 ms: other moments leave no doubt about what came first.
func (w *world) until(at time.Duration) {
	w.t.Helper()
	time.Sleep(at - time.Since(w.start))
	synctest.Wait()
}

// beats has nodes send heartbeats every interval, from one moment until another.
func (w *world) beats(from, until, interval time.Duration, nodes ...identity.NodeID) {
	w.t.Helper()
	for at := from; at <= until; at += interval {
		w.until(at)
		for _, n := range nodes {
			w.watch.Beat(n, home)
		}
	}
}

// wantSaid compares all changes so far.
func (w *world) wantSaid(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := fmt.Sprintf("%q", w.said); got != fmt.Sprintf("%q", want) {
		w.t.Errorf("changes\n got %s\nwant %q", got, want)
	}
}

// downs counts the changes to down so far.
func (w *world) downs() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := 0
	for _, c := range w.changes {
		if c.Status == healthwatch.Down {
			count++
		}
	}
	return count
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *world) proposedBrake() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.braked
}

// home is the address from which nodes connect.
var home = netip.MustParseAddr("192.0.2.1")

func nodeID(tb testing.TB, label string) identity.NodeID {
	tb.Helper()
	id, err := identity.ParseNodeID("spiffe://production.netget.internal/db/" + label)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// heartbeats is a node that sends one every 2 s and is not probed.
func heartbeats(tb testing.TB, label string) healthwatch.Listing {
	tb.Helper()
	return healthwatch.Listing{
		Node: nodeID(tb, label), Epoch: 1, Status: healthwatch.Up, Interval: 2 * time.Second, From: home,
		Endpoint: identity.Endpoint{Address: home.String(), Name: "sql", Port: 5432, Protocol: "tcp"},
		Check:    identity.Check{Interval: 2, Type: identity.CheckNone},
	}
}

// probed is a node that is judged by probes alone: its heartbeats are due in an
// hour.
func probed(tb testing.TB, label string, check identity.CheckType, seconds int64) healthwatch.Listing {
	tb.Helper()
	l := heartbeats(tb, label)
	l.Interval, l.Check = time.Hour, identity.Check{Interval: seconds, Type: check}
	return l
}

// many returns n nodes that send heartbeats every 2 s.
func many(tb testing.TB, n int) (all []healthwatch.Listing, ids []identity.NodeID) {
	tb.Helper()
	for i := range n {
		l := heartbeats(tb, fmt.Sprintf("db-%d", i))
		all, ids = append(all, l), append(ids, l.Node)
	}
	return all, ids
}

func (w *world) put(listings ...healthwatch.Listing) {
	w.t.Helper()
	for _, l := range listings {
		if c, ok := w.watch.Put(l); ok {
			w.t.Fatalf("the status of %s has to change at once: %+v", l.Node.Label(), c)
		}
	}
}
