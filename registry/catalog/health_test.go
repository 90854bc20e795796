package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// watched starts a catalog that judges its nodes.
func watched(tb testing.TB, edit ...func(*healthwatch.Config)) *world {
	tb.Helper()
	w := newWorld(tb)
	w.health = &healthwatch.Config{}
	for _, e := range edit {
		e(w.health)
	}
	w.run(tb)
	return w
}

// live lets a node send its heartbeats k to last, each when it is due.
func (n *node) live(tb testing.TB, s *identity.Statement, k, last int64) {
	tb.Helper()
	for ; k <= last; k++ {
		time.Sleep(time.Unix(s.IssuedAt()+k*15, 0).Sub(n.w.now()))
		n.beat(tb, s.RID(), k)
	}
}

// status returns what a client verifiably learns about a node.
func (w *world) status(tb testing.TB, id identity.NodeID) string {
	tb.Helper()
	for _, n := range w.view(tb, id.Service(), nil).Nodes {
		if n.Record.Node == id {
			return n.Status.String()
		}
	}
	return "not listed"
}

// story returns the events of a node, zero: of the network and all nodes.
func (w *world) story(tb testing.TB, id identity.NodeID) []string {
	tb.Helper()
	rows, err := w.catalog.Events(tb.Context(), catalog.EventQuery{Node: id, Limit: 1000}, false)
	if err != nil {
		tb.Fatal(err)
	}
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%s-%s %s", r.From, r.To, r.Reason))
	}
	return lines
}

func wantStory(tb testing.TB, got []string, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSilentNodesTurnSuspectThenDownAndStayListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		n.live(t, s, 1, 2)
		version := w.catalog.Snapshot().Head().Version
		time.Sleep(30 * time.Second)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("after two intervals: %s", got)
		}
		time.Sleep(time.Second)
		if got := w.status(t, n.id()); got != "suspect" {
			t.Errorf("later than two intervals: %s", got)
		}
		time.Sleep(15 * time.Second)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("later than three intervals: %s", got)
		}
		head := w.catalog.Snapshot().Head()
		want := []discovery.Change{{Node: n.id(), Old: s.RID(), New: s.RID(), Reason: discovery.ReasonStatus, Status: discovery.Down, Since: head.Made}}
		same := cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })
		if diff := cmp.Diff(want, w.changes(t, head.Version), same); diff != "" || head.Version != version+2 {
			t.Errorf("version %d after %d (-want +got):\n%s", head.Version, version, diff)
		}
		time.Sleep(30 * time.Minute)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("a record that is not over: %s", got)
		}
		time.Sleep(30 * time.Minute)
		if got := w.listed(t, "billing"); len(got) != 0 {
			t.Errorf("a record that is over: %v", got)
		}
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-suspect heartbeat-late", "suspect-down heartbeat-missing", "down-none expired")
	})
}

func TestNodesThatSendHeartbeatsStayUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		n.live(t, n.register(t), 1, 100)
		wantStory(t, w.story(t, n.id()), "none-up registered")
	})
}

func TestTwoHeartbeatsInARowBringANodeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		n.live(t, s, 5, 5)
		time.Sleep(time.Second)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("after one heartbeat: %s", got)
		}
		n.live(t, s, 6, 6)
		time.Sleep(time.Second)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("after two: %s", got)
		}
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-suspect heartbeat-late", "suspect-down heartbeat-missing", "down-up recovered")
	})
}

func TestStatusIsThatOfTheEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		time.Sleep(time.Minute)
		down := w.view(t, "billing", nil).Nodes[0]
		s := n.record(t)
		n.put(t, s)
		renewed := w.view(t, "billing", nil).Nodes[0]
		if renewed.Status != discovery.Down || renewed.Since != down.Since {
			t.Errorf("signed anew: %s since %d, want down since %d", renewed.Status, renewed.Since, down.Since)
		}
		n.epoch++
		n.register(t)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("in a new epoch: %s", got)
		}
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-suspect heartbeat-late", "suspect-down heartbeat-missing", "down-up registered")
	})
}

func TestDrainingAndRemovalAreEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		n.register(t)
		for _, state := range []identity.State{identity.Draining, identity.Active, identity.Active} {
			n.put(t, n.record(t, func(r *identity.Record) { r.State = state }))
		}
		s := n.register(t)
		op.put(t, op.removal(t, s))
		n.epoch++
		s = n.register(t)
		n.put(t, n.tombstone(t, s))
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-up draining", "up-up undrained", "up-none removed", "none-up registered", "up-none deregistered")
	})
}

// A node of which nobody has proved that it is at its endpoint is never active:
// no head is signed under which it is up.
func TestNodesThatMustProveThemselvesAreNeverUpBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good atomic.Bool
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error {
				if good.Load() {
					return nil
				}
				return errors.New("another identity")
			}
		})
		n := w.node(t, "billing", "b-1")
		version := w.catalog.Snapshot().Head().Version
		out, err := w.catalog.Submit(t.Context(), n.record(t, func(r *identity.Record) { r.Check.Type = identity.CheckMTLS }).Token(),
			catalog.Peer{Certificate: n.cert, From: netip.MustParseAddr("10.1.2.3")})
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Snapshot.Head().Version; got != version+2 || out.Applied != version+1 {
			t.Errorf("applied by version %d, answered under %d, want %d and %d", out.Applied, got, version+1, version+2)
		}
		if got := out.Snapshot.Service("billing").Records()[0].Status; got != discovery.Down {
			t.Errorf("the receipt says %s", got)
		}
		if put := w.changes(t, version+1)[0]; put.Status != discovery.Up || put.Reason != discovery.ReasonPut {
			t.Errorf("the record came in as %+v", put) // docs/protocol.md section 5
		}
		time.Sleep(time.Minute)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("with bad probes: %s", got)
		}
		a, err := w.catalog.Snapshot().Answer("billing", 0)
		if err != nil || a.Records[0].Reason != string(healthwatch.Unproven) {
			t.Errorf("the answer says why: %q, %v", a.Records[0].Reason, err)
		}
		good.Store(true)
		time.Sleep(15 * time.Second)
		if got := w.status(t, n.id()); got == "up" {
			t.Errorf("with a good probe, but without heartbeats: %s", got)
		}
	})
}

func TestProvedNodesComeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error { return nil }
		})
		n := w.node(t, "billing", "b-1")
		s := n.record(t, func(r *identity.Record) { r.Check.Type = identity.CheckHTTPS })
		if _, err := w.catalog.Submit(t.Context(), s.Token(), catalog.Peer{Certificate: n.cert, From: netip.MustParseAddr("10.1.2.3")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("a second later: %s", got)
		}
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-down probe-unproven", "down-up recovered")
	})
}

func TestRefusedProbesAreNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error {
				return &probe.RefusedError{Reason: "10.1.2.3 is elsewhere"}
			}
		})
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		n.live(t, s, 1, 3)
		out := n.put(t, n.record(t))
		if want := []string{"not probed: 10.1.2.3 is elsewhere"}; !slices.Equal(out.Notes, want) {
			t.Errorf("notes %q, want %q", out.Notes, want)
		}
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("a node that may not be probed: %s", got)
		}
	})
}

func TestBrakeIsSaidInTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		var all []*node
		for i := range 10 {
			n := w.node(t, "billing", fmt.Sprintf("b-%d", i))
			n.register(t)
			all = append(all, n)
		}
		time.Sleep(50 * time.Second)
		head := w.catalog.Snapshot().Head()
		if head.Notice != discovery.BrakeNotice {
			t.Errorf("the notice is %q", head.Notice)
		}
		for _, n := range all {
			if got := w.status(t, n.id()); got != "suspect" {
				t.Errorf("under the brake: %s", got)
			}
		}
		time.Sleep(5 * time.Minute)
		if got := w.catalog.Snapshot().Head().Notice; got != discovery.NoNotice {
			t.Errorf("after the brake the notice is %q", got)
		}
		for _, n := range all {
			if got := w.status(t, n.id()); got != "down" {
				t.Errorf("after the brake: %s", got)
			}
		}
		story := w.story(t, identity.NodeID{})
		if !slices.Contains(story, "none-none brake-on") || !slices.Contains(story, "none-none brake-off") {
			t.Errorf("events: %q", story)
		}
	})
}

func TestRestartBelievesWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		dead, alive := w.node(t, "billing", "dead"), w.node(t, "billing", "alive")
		dead.register(t)
		s := alive.register(t)
		alive.live(t, s, 1, 4)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		before := w.catalog.Snapshot().Head().Version
		time.Sleep(10 * time.Minute)
		w.run(t)
		if after := w.catalog.Snapshot().Head().Version; after != before {
			t.Errorf("version %d after %d: a status changed at the start", after, before)
		}
		time.Sleep(20 * time.Second)
		alive.live(t, s, 46, 60)
		if got := w.status(t, alive.id()); got != "up" {
			t.Errorf("who was up: %s", got)
		}
		if got := w.status(t, dead.id()); got != "down" {
			t.Errorf("who was down: %s", got)
		}
		wantStory(t, w.story(t, alive.id()), "none-up registered")
	})
}

// While the store does not answer nothing is said; then all is.
func TestStatusesWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		w.store.SetFault(func(op memstore.Op, _ bool) error {
			if op == memstore.Commit {
				return errors.New("away")
			}
			return nil
		})
		time.Sleep(time.Minute)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("without the store: %s", got)
		}
		w.store.SetFault(nil)
		time.Sleep(5 * time.Second)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("with the store again: %s", got)
		}
	})
}
