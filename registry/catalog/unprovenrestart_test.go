package catalog_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// due sends the newest token that is due of a record, whatever comes of it.
func (n *node) due(s *identity.Statement, chain *identity.Chain) error {
	k := (n.w.now().Unix() - s.IssuedAt()) / 15
	token, ok := chain.Token(k)
	if !ok || k < 1 {
		return nil
	}
	_, err := n.w.catalog.Beat(context.Background(), catalog.Peer{Certificate: n.cert, From: home}, s.RID(), identity.Beat{K: k, Token: token})
	return err
}

// What has signed anew in the very last version is still what it was.
func TestProvenNodesThatRenewedStayUpOverARestart(t *testing.T) {
	head := filepath.Join(t.TempDir(), "head.json")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.head = head
		w.health = &healthwatch.Config{Probe: func(_ context.Context, t probe.Target) error {
			if t.From == home {
				return nil
			}
			return &probe.RefusedError{Reason: "it connects from elsewhere"}
		}}
		w.run(t)
		n := w.node(t, "billing", "b-1")
		for range 2 {
			if _, err := n.bring(n.record(t, proving(home.String()))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		version := w.catalog.Snapshot().Head().Version
		w.restart(t)
		if got := w.status(t, n.id()); got != "up" || w.catalog.Snapshot().Head().Version != version {
			t.Errorf("after the restart it is %s, by version %d after %d", got, w.catalog.Snapshot().Head().Version, version)
		}
	})
}

// After a restart nobody knows from where a node connects, before it is heard.
func TestUnprovenNodesAreProbedWhenTheyAreHeardAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var there atomic.Bool
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error {
				if there.Load() {
					return nil
				}
				return errors.New("not there yet")
			}
		})
		n := w.node(t, "billing", "b-1")
		s := n.record(t, proving(home.String())) // probed once an hour
		if _, err := n.bring(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		w.restart(t)
		there.Store(true)
		for range 50 {
			time.Sleep(time.Second)
			if err := n.due(s, n.chain); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("after three heartbeats it is %s", got)
		}
	})
}

// A version that waits for the status of one node takes nothing from another,
// whose former record is still shown.
func TestHeartbeatsOfWhatIsShownCountInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		x, y, z := w.node(t, "mail", "m-1"), w.node(t, "billing", "b-1"), w.node(t, "web", "w-1")
		s := x.register(t)
		chain := x.chain
		x.live(t, s, 1, 8)
		renewed, unproven, first := x.record(t), y.record(t, proving(elsewhere)), z.record(t)
		commits := 0
		w.store.SetFault(func(op memstore.Op, done bool) error {
			if op != memstore.Commit || done {
				return nil
			}
			if commits++; commits > 2 {
				return errDisk // the version that should say that y is down
			}
			time.Sleep(200 * time.Millisecond) // so that x and y gather
			return nil
		})
		var all sync.WaitGroup
		all.Go(func() { _, _ = z.submit(first) })
		time.Sleep(50 * time.Millisecond)
		all.Go(func() { _, _ = x.submit(renewed) })
		all.Go(func() { _, _ = y.bring(unproven) })
		all.Wait()
		if got := w.view(t, "mail", nil).Nodes[0]; !got.Live {
			t.Error("its newest heartbeat is lost")
		}
		for range 12 {
			time.Sleep(10 * time.Second)
			if err := x.due(s, chain); err != nil {
				t.Fatal(err)
			}
			if got := w.view(t, "mail", nil).Nodes[0]; got.RID != s.RID() || !got.Live || got.Status.String() != "up" {
				t.Fatalf("a node beside one that is unproven: %s, live %v, its former record %v", got.Status, got.Live, got.RID == s.RID())
			}
		}
	})
}

// What was judged before a removal does not count after it.
func TestStatusOfBeforeARemovalIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var once atomic.Bool
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error {
				if once.CompareAndSwap(true, false) {
					return nil
				}
				return errors.New("another identity")
			}
		})
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		s := n.record(t, proving(home.String()), func(r *identity.Record) { r.Check.Interval = 2 })
		if _, err := n.bring(s); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		w.store.SetFault(slowCommits(3 * time.Second))
		tomb := op.removal(t, s)
		var removing sync.WaitGroup
		removing.Go(func() { _, _ = op.submit(tomb) })
		time.Sleep(100 * time.Millisecond)
		once.Store(true) // a good probe while the removal is being committed
		time.Sleep(2500 * time.Millisecond)
		w.store.SetFault(nil)
		w.revoke(t, 1, op.cert)
		for range 4000 {
			time.Sleep(time.Millisecond)
			if got := w.status(t, n.id()); got == "up" {
				t.Fatal("it is up by what was found before its removal")
			}
		}
		removing.Wait()
	})
}
