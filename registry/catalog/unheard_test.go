package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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

// A version whose outcome was not known is shown as soon as it is, and not with
// the next head that is due.
func TestVersionInDoubtIsShownWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		w.node(t, "mail", "m-1").register(t) // a head is signed now, and again in 5 s
		n := w.node(t, "billing", "b-1")
		w.store.SetFault(failingFrom(1))
		if _, err := n.submit(n.record(t)); identity.CodeOf(err) != identity.Unavailable {
			t.Errorf("during the outage: %v, want unavailable", err)
		}
		w.store.SetFault(nil)
		time.Sleep(1100 * time.Millisecond)
		if got := w.status(t, n.id()); got != "up" {
			t.Errorf("it is %s", got)
		}
	})
}

// A version may change the notice alone.
func TestNoticeInDoubtIsShownWhenTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		statements := map[*node]*identity.Statement{}
		for i := range 10 {
			n := w.node(t, "billing", fmt.Sprintf("b-%d", i))
			statements[n] = n.register(t)
		}
		time.Sleep(40 * time.Second) // silent: the brake takes hold
		for !w.catalog.Stats().Doubt {
			if w.catalog.Snapshot().Head().Notice == discovery.NoNotice {
				t.Fatal("no version of the notice alone was in doubt")
			}
			for n, s := range statements {
				if err := n.due(s, n.chain); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * time.Second)
			if w.catalog.Health().Nodes[healthwatch.Suspect] == 0 {
				w.store.SetFault(failingFrom(1))
			}
		}
		w.store.SetFault(nil)
		time.Sleep(1100 * time.Millisecond)
		if got := w.catalog.Snapshot().Head().Notice; got != discovery.NoNotice {
			t.Errorf("the notice is %q", got)
		}
	})
}

// Whoever waits for the status of its record, without which it is not shown, is
// told when the committer panics over that.
func TestPanicBetweenARecordAndItsStatusIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		n, commits := w.node(t, "billing", "b-1"), 0
		w.store.SetFault(func(op memstore.Op, done bool) error {
			if op == memstore.Commit && !done {
				if commits++; commits == 2 {
					panic("a planted bug")
				}
			}
			return nil
		})
		_, err := n.bring(n.record(t, proving(elsewhere)))
		wantClass(t, err, identity.Unavailable)
		if got := w.status(t, n.id()); got != "not listed" {
			t.Errorf("it is %s", got)
		}
		_ = w.stop()
	})
}

// A bug in the watch costs a second of watching, and is counted.
func TestPanicOfTheWatchCostsOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		start := time.Now()
		w := watched(t, func(c *healthwatch.Config) {
			c.Clock = func() time.Duration {
				if broken.CompareAndSwap(true, false) {
					panic("a planted bug")
				}
				return time.Since(start)
			}
		})
		n := w.node(t, "billing", "b-1")
		n.register(t)
		broken.Store(true) // the watch is the next to look
		time.Sleep(50 * time.Second)
		if got := w.status(t, n.id()); got != "down" {
			t.Errorf("a silent node is %s", got)
		}
		if got := w.catalog.Stats().WriterPanics; got != 1 {
			t.Errorf("%d panics are counted, want 1", got)
		}
	})
}

// The notice of the brake stays in the head while the status of an unproven node
// is brought in.
func TestUnprovenNodeDoesNotEndTheNoticeOfTheBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		for _, label := range []string{"b-1", "b-2", "b-3", "b-4", "b-5", "b-6"} {
			w.node(t, "billing", label).register(t)
		}
		time.Sleep(50 * time.Second)
		before := w.catalog.Snapshot().Head()
		n := w.node(t, "mail", "m-1")
		out, err := n.bring(n.record(t, proving(elsewhere)))
		if err != nil {
			t.Fatal(err)
		}
		if head := out.Snapshot.Head(); before.Notice != discovery.BrakeNotice || head.Notice != discovery.BrakeNotice {
			t.Errorf("the notice is %q, and before %q", head.Notice, before.Notice)
		}
		if wantOne := w.story(t, identity.NodeID{}); count(wantOne, "none-none brake-on") != 1 || count(wantOne, "none-none brake-off") != 0 {
			t.Errorf("events %q", wantOne)
		}
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// What the registry says of a node that is not up: why, and whether its
// heartbeats and its probes contradict each other.
func TestAnswersSayWhyAndThatItIsDisputed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error { return errors.New("no answer") }
		})
		n := w.node(t, "billing", "b-1")
		s := n.record(t, func(r *identity.Record) { r.Check = identity.Check{Interval: 2, Type: identity.CheckTCP} })
		if _, err := n.bring(s); err != nil {
			t.Fatal(err)
		}
		n.live(t, s, 1, 2)
		a, err := w.catalog.Snapshot().Answer("billing", 0)
		if err != nil || a.Records[0].Reason != string(healthwatch.ProbeFailed) || !a.Records[0].Disputed {
			t.Errorf("%q, disputed %t, %v", a.Records[0].Reason, a.Records[0].Disputed, err)
		}
	})
}

// Evidence of the event, and the note to the node, say what keeps it down.
func TestUnprovenNodesAreToldWhy(t *testing.T) {
	for name, row := range map[string]struct {
		err            error
		evidence, note string
	}{
		"policy forbids to look": {&probe.RefusedError{Reason: "it is elsewhere"}, "not probed: it is elsewhere", "not probed: it is elsewhere"},
		"somebody else is there": {errors.New("another identity"), "no probe has succeeded yet", "not up before a probe succeeds: another identity"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watched(t, func(c *healthwatch.Config) {
					c.Probe = func(context.Context, probe.Target) error { return row.err }
					c.Forbids = func(probe.Target) *probe.RefusedError {
						refused, _ := errors.AsType[*probe.RefusedError](row.err)
						return refused
					}
				})
				n := w.node(t, "billing", "b-1")
				if _, err := n.bring(n.record(t, proving(home.String()))); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got := w.catalog.Notes(n.id()); len(got) != 1 || got[0] != row.note {
					t.Errorf("notes %q, want %q", got, row.note)
				}
				if got := w.evidence(t, n.id()); got != row.evidence {
					t.Errorf("evidence %q, want %q", got, row.evidence)
				}
			})
		})
	}
}

// evidence returns that of the newest event of a node.
func (w *world) evidence(tb testing.TB, id identity.NodeID) string {
	tb.Helper()
	rows, err := w.catalog.Events(tb.Context(), catalog.EventQuery{Node: id, Limit: 1000}, false)
	if err != nil || len(rows) == 0 {
		tb.Fatal(len(rows), err)
	}
	return rows[len(rows)-1].Evidence
}
