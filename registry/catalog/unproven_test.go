package catalog_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// home is where the nodes of these tests are; elsewhere somebody else is.
var home = netip.MustParseAddr("10.1.2.3") //nolint:gochecknoglobals // a constant

const elsewhere = "10.9.9.9"

// bring submits as a node does that connects from home.
func (n *node) bring(s *identity.Statement) (*catalog.Outcome, error) {
	return n.w.catalog.Submit(context.Background(), s.Token(), catalog.Peer{Certificate: n.cert, From: home})
}

// proving edits a record to one whose checks prove the identity, seldom.
func proving(address string) func(*identity.Record) {
	return func(r *identity.Record) {
		r.Check = identity.Check{Interval: 3600, Type: identity.CheckMTLS}
		r.Endpoints[0].Address = address
	}
}

// proved starts a catalog whose nodes prove themselves at home alone.
func proved(tb testing.TB) *world {
	tb.Helper()
	return watched(tb, func(c *healthwatch.Config) {
		c.Probe = func(_ context.Context, t probe.Target) error {
			if t.Endpoint.Address == home.String() {
				return nil
			}
			return errors.New("another identity")
		}
	})
}

// neverUp requires that no head is served, at any moment of d, under which the
// node is up.
func (w *world) neverUp(tb testing.TB, id identity.NodeID, d time.Duration) {
	tb.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got := w.status(tb, id); got == "up" {
			tb.Fatal("it is up without a proof")
		}
	}
}

// What was judged of one record says nothing about the next.
func TestStatusOfAnotherRecordIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := proved(t), time.Now()
		n := w.node(t, "billing", "b-1")
		time.Sleep(100 * time.Millisecond)
		if _, err := n.bring(n.record(t, proving(home.String()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300*time.Millisecond - time.Since(start)) // probed at 200 ms; "up" is proposed at 400 ms
		w.store.SetFault(slowCommits(200 * time.Millisecond))
		s := n.record(t, proving(elsewhere))
		if _, err := n.bring(s); err != nil {
			t.Fatal(err)
		}
		w.store.SetFault(nil)
		w.neverUp(t, n.id(), time.Minute)
	})
}

// A probe that is quicker than the next look at the clock counts.
func TestProvedNodesComeUpWhileOthersAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(_ context.Context, t probe.Target) error {
				if t.Node.Label() == "slow" {
					time.Sleep(550 * time.Millisecond)
					return errors.New("no answer")
				}
				return nil
			}
		})
		start := time.Now()
		slow, n := w.node(t, "billing", "slow"), w.node(t, "billing", "b-1")
		time.Sleep(100 * time.Millisecond)
		if _, err := slow.bring(slow.record(t, proving(home.String()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(700*time.Millisecond - time.Since(start)) // its probe ends at 750 ms, and takes the next node
		if _, err := n.bring(n.record(t, proving(home.String()))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("a proven node is %s", got)
		}
	})
}

func slowCommits(d time.Duration) memstore.Fault {
	return func(op memstore.Op, done bool) error {
		if op == memstore.Commit && !done {
			time.Sleep(d)
		}
		return nil
	}
}

// failingFrom fails the n-th commit from now on and all after it.
func failingFrom(n int) memstore.Fault {
	return func(op memstore.Op, done bool) error {
		if op != memstore.Commit || done {
			return nil
		}
		if n--; n > 0 {
			return nil
		}
		return errDisk
	}
}

func TestUnprovenRecordsOfAnOutageAreNeverUp(t *testing.T) {
	for name, first := range map[string]int{"the record is in doubt": 1, "its status is in doubt": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := proved(t)
				n, other := w.node(t, "billing", "b-1"), w.node(t, "mail", "m-1")
				other.register(t)
				before := w.catalog.Snapshot().Head().Version
				w.store.SetFault(failingFrom(first))
				s := n.record(t, proving(elsewhere))
				if _, err := n.bring(s); identity.CodeOf(err) != identity.Unavailable {
					t.Errorf("during the outage: %v, want unavailable", err)
				}
				w.neverUp(t, n.id(), time.Minute)
				head := w.catalog.Snapshot().Head()
				if head.Version != before || time.Since(time.Unix(head.IAT, 0)) > 6*time.Second {
					t.Errorf("during the outage the head is of version %d, %s old; want %d, signed again", head.Version, time.Since(time.Unix(head.IAT, 0)), before)
				}
				w.store.SetFault(nil)
				w.neverUp(t, n.id(), 10*time.Second)
				out, err := n.bring(s)
				if err != nil || out.Created {
					t.Fatalf("posted again: %+v, %v", out, err)
				}
				if got := out.Snapshot.Service("billing").Records()[0].Status; got != discovery.Down {
					t.Errorf("posted again it is %s", got)
				}
				w.neverUp(t, n.id(), time.Minute)
			})
		})
	}
}

func TestUnprovenRecordsOfACrashAreNeverUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		n := w.node(t, "billing", "b-1")
		w.store.SetFault(failingFrom(2))
		if _, err := n.bring(n.record(t, proving(elsewhere))); err == nil {
			t.Fatal("no outage")
		}
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.store.SetFault(nil)
		w.run(t)
		w.neverUp(t, n.id(), time.Minute)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("after the restart it is %s", got)
		}
	})
}

func TestUncoveredRecordsAreProvedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		s := n.record(t, proving(elsewhere))
		if _, err := n.bring(s); err != nil {
			t.Fatal(err)
		}
		op.put(t, op.removal(t, s))
		w.revoke(t, 1, op.cert)
		w.neverUp(t, n.id(), time.Minute)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("it is %s", got)
		}
	})
}

// restless nodes change their status with every probe.
func restless(tb testing.TB, nodes int) *world {
	tb.Helper()
	probes := map[identity.NodeID]int{}
	w := watched(tb, func(c *healthwatch.Config) {
		c.Rules, c.Probes = healthwatch.Rules{Good: 1, Failed: 1000, Calm: 1}, 1 // one at a time
		c.Probe = func(_ context.Context, t probe.Target) error {
			if probes[t.Node]++; t.Check.Type == identity.CheckTCP && probes[t.Node]%2 == 0 {
				return nil
			}
			return errors.New("bad")
		}
	})
	for i := range nodes {
		n := w.node(tb, "billing", "r-"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		edit := func(r *identity.Record) {
			r.Check, r.Heartbeat.Interval = identity.Check{Interval: 2, Type: identity.CheckTCP}, 3600
		}
		if _, err := n.bring(n.record(tb, edit)); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// However slow the store and restless the nodes: heads are signed, registrants
// hear, and a stop ends.
func TestRestlessNodesHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := restless(t, 40)
		w.store.SetFault(slowCommits(400 * time.Millisecond))
		time.Sleep(10 * time.Second)
		n, began := w.node(t, "mail", "m-1"), time.Now()
		if _, err := n.bring(n.record(t, proving(elsewhere))); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("a registration was answered after %s: %v", time.Since(began), err)
		}
		for range 60 {
			time.Sleep(time.Second)
			if age := time.Since(time.Unix(w.catalog.Snapshot().Head().IAT, 0)); age > 10*time.Second {
				t.Fatalf("the head is %s old", age)
			}
		}
		began = time.Now()
		if err := w.stop(); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("the stop took %s: %v", time.Since(began), err)
		}
	})
}

// A node that is not heard again after a restart turns down.
func TestNodesAreWatchedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		w.restart(t)
		time.Sleep(46 * time.Second)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("it is %s", got)
		}
	})
}
