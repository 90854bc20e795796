package catalog_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// half has a commit take time, and fail from the nth on.
func half(nth int) memstore.Fault {
	commits := 0
	return func(op memstore.Op, done bool) error {
		if op != memstore.Commit || done {
			return nil
		}
		if commits++; commits >= nth {
			return errDisk
		}
		time.Sleep(200 * time.Millisecond) // so that what comes meanwhile gathers
		return nil
	}
}

// together submits a record of a new node, and while that is written records of
// two others, which then share a version.
func together(t *testing.T, w *world, one, other func()) {
	t.Helper()
	first := w.node(t, "web", "w-1")
	record := first.record(t)
	var all sync.WaitGroup
	all.Go(func() { _, _ = first.submit(record) })
	time.Sleep(50 * time.Millisecond)
	all.Go(one)
	all.Go(other)
	all.Wait()
}

// The table of heartbeats is swept every ten minutes, also in an outage.
func TestHeartbeatsOfWhatIsShownOutliveTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		x, y := w.node(t, "mail", "m-1"), w.node(t, "billing", "b-1")
		s := x.register(t)
		chain := x.chain
		x.live(t, s, 1, 38) // 570 s
		time.Sleep(2 * time.Second)
		renewed, unproven := x.record(t), y.record(t, proving(elsewhere))
		w.store.SetFault(half(3)) // the version that should say that y is down
		together(t, w, func() { _, _ = x.submit(renewed) }, func() { _, _ = y.bring(unproven) })
		for sent := int64(38); sent < 42; time.Sleep(100 * time.Millisecond) {
			if k := (w.now().Unix() - s.IssuedAt()) / 15; k > sent { // once, as a node does
				sent = k
				if err := x.due(s, chain); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.view(t, "mail", nil).Nodes[0]; got.RID != s.RID() || !got.Live {
				t.Fatalf("shown is its former record: %t, live: %t", got.RID == s.RID(), got.Live)
			}
		}
	})
}

// A node that was told nothing of its durable record brings it again and again.
func TestNodeThatBringsItsRecordInAnOutageIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		x, y := w.node(t, "mail", "m-1"), w.node(t, "billing", "b-1")
		record, unproven := x.record(t), y.record(t, proving(elsewhere))
		w.store.SetFault(half(3))
		together(t, w, func() { _, _ = x.submit(record) }, func() { _, _ = y.bring(unproven) })
		for range 12 {
			time.Sleep(10 * time.Second)
			if _, err := x.bring(record); identity.CodeOf(err) != identity.Unavailable {
				t.Fatalf("in the outage: %v", err)
			}
		}
		w.store.SetFault(nil)
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			_, _ = x.bring(record)
			if err := x.due(record, x.chain); err != nil && identity.CodeOf(err) != identity.NotFound {
				t.Fatal(err)
			}
			if got := w.status(t, x.id()); got == "suspect" || got == "down" {
				t.Fatalf("after the outage it is %s", got)
			}
		}
		if got := w.status(t, x.id()); got != "up" {
			t.Errorf("in the end it is %s", got)
		}
	})
}

// Who drains sends no heartbeats of its former record any more.
func TestNodeThatDrainsInAnOutageIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		n.live(t, s, 1, 3)
		draining := n.record(t, func(r *identity.Record) { r.State = identity.Draining })
		w.store.SetFault(failingFrom(1))
		for range 30 { // 60 s
			if _, err := n.bring(draining); identity.CodeOf(err) != identity.Unavailable {
				t.Fatalf("in the outage: %v", err)
			}
			time.Sleep(2 * time.Second)
		}
		w.store.SetFault(nil)
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if _, err := n.bring(draining); err == nil {
				break
			}
		}
		time.Sleep(time.Second)
		if got := w.story(t, n.id()); !slices.Equal(got, []string{"none-up registered", "up-up draining"}) {
			t.Errorf("events: %q", got)
		}
	})
}

// What the brake held of a former record is no excuse for one that must prove
// itself.
func TestBrakeSparesNoUnprovenNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Brake = healthwatch.Brake{Share: 0.3, Max: time.Hour}
			c.Probe = func(context.Context, probe.Target) error {
				return &probe.RefusedError{Reason: "it connects from elsewhere"}
			}
		})
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		chain := n.chain
		time.Sleep(30 * time.Second) // it turns down before the brake holds
		for _, label := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			w.node(t, "mail", label).register(t)
		}
		time.Sleep(33 * time.Second)
		if got, braked := w.status(t, n.id()), w.catalog.Health().Braked; got != "down" || !braked {
			t.Fatalf("it is %s, and the brake holds: %t", got, braked)
		}
		w.store.SetFault(failingFrom(1))
		unproven := n.record(t, proving(elsewhere))
		if _, err := n.bring(unproven); identity.CodeOf(err) != identity.Unavailable {
			t.Fatal(err)
		}
		for range 35 { // as what it was it would be up
			time.Sleep(time.Second)
			if err := n.due(s, chain); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(50 * time.Second) // and would be down again, but for the brake
		w.store.SetFault(nil)
		time.Sleep(2 * time.Second)
		for range 60 {
			time.Sleep(time.Second)
			if err := n.due(unproven, n.chain); err != nil {
				t.Fatal(err)
			}
			if got := w.status(t, n.id()); got != "down" {
				t.Fatalf("a node that never proved itself is %s", got)
			}
		}
	})
}
