package catalog_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

func TestRecordsLeaveWhenTheyAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n, m := w.node(t, "billing", "b-1"), w.node(t, "billing", "b-2")
		short := func(r *identity.Record) { r.Exp = r.IAT + 60 }
		s := n.record(t, short)
		n.put(t, s)
		renewed := m.record(t, short)
		m.put(t, renewed)
		time.Sleep(30 * time.Second)
		m.put(t, m.record(t, short)) // a renewal outlives the record it replaces
		time.Sleep(time.Until(time.Unix(s.ExpiresAt(), 0)) - time.Millisecond)
		synctest.Wait()
		if got := w.listed(t, "billing"); len(got) != 2 {
			t.Errorf("just before the end: %v", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff([]string{"b-2"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
		head := w.catalog.Snapshot().Head()
		want := []discovery.Change{{Node: n.id(), Old: s.RID(), Reason: discovery.ReasonExpired}}
		if diff := cmp.Diff(want, w.changes(t, head.Version), byID()); diff != "" {
			t.Errorf("change list (-want +got):\n%s", diff)
		}
		_, err := n.submit(s)
		wantClass(t, err, identity.BadTime)
		_, err = n.try(s.RID(), identity.Beat{K: 1})
		wantClass(t, err, identity.NotFound)
		w.restart(t)
		if diff := cmp.Diff([]string{"b-2"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := w.view(t, "billing", nil); v.Found {
			t.Error("the service stays without records")
		}
	})
}

func byID() cmp.Option {
	return cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })
}

func TestTombstones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		mark := w.catalog.Snapshot().Head().Mark()
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		tomb := n.tombstone(t, s)
		out := n.put(t, tomb)
		if v := w.view(t, "billing", &mark); v.Found {
			t.Error("listed after its tombstone")
		}
		want := []discovery.Change{{Node: n.id(), Old: s.RID(), New: tomb.RID(), Reason: discovery.ReasonTombstone}}
		if diff := cmp.Diff(want, w.changes(t, out.Applied), byID()); diff != "" {
			t.Errorf("change list (-want +got):\n%s", diff)
		}
		w.wantTombstoneReceipt(t, tomb, out, &mark)

		w.node(t, "search", "s-1").register(t)
		again, err := n.submit(tomb)
		if err != nil || again.Created || again.Applied != out.Applied {
			t.Fatalf("again: got %+v, %v, want 200 of version %d", again, err, out.Applied)
		}
		w.wantTombstoneReceipt(t, tomb, again, &mark)

		_, err = n.submit(s)
		if superseded, ok := errors.AsType[*catalog.SupersededError](err); !ok || superseded.Statement.RID() != tomb.RID() {
			t.Errorf("the record after its tombstone: got %v", err)
		}
		w.restart(t)
		_, err = n.submit(s)
		wantClass(t, err, identity.Superseded)

		stranger := w.node(t, "billing", "b-9")
		never := stranger.record(t)
		unlisted := stranger.put(t, stranger.tombstone(t, never))
		want = []discovery.Change{{Node: stranger.id(), New: unlisted.Statement.RID(), Reason: discovery.ReasonTombstone}}
		if diff := cmp.Diff(want, w.changes(t, unlisted.Applied), byID()); diff != "" {
			t.Errorf("of a node that was not listed (-want +got):\n%s", diff)
		}
	})
}

func (w *world) wantTombstoneReceipt(tb testing.TB, tomb *identity.Statement, out *catalog.Outcome, mark *identity.RegistryMark) {
	tb.Helper()
	receipt, err := w.catalog.TombstoneReceipt(tb.Context(), out, mark.Version)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.opener.TombstoneReceipt(asJSON(tb, receipt), tomb, w.ask("", mark)); err != nil {
		tb.Errorf("opening the tombstone's receipt: %v", err)
	}
}

func TestStatesAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		long := n.record(t, func(r *identity.Record) {
			r.Exp, r.Heartbeat.Count, r.Heartbeat.Interval = n.cert.Leaf().NotAfter.Unix(), 240, 3600
		})
		n.put(t, long)
		n.put(t, n.tombstone(t, long))
		time.Sleep(86_500 * time.Second)
		if got := len(w.store.Contents().Nodes); got != 1 {
			t.Errorf("after %d s %d states are remembered, want 1", 86_500, got)
		}
		time.Sleep(2 * time.Hour)
		if got := w.store.Contents(); len(got.Nodes) != 0 {
			t.Errorf("a day and two hours later %d states are remembered", len(got.Nodes))
		}
	})
}

func TestOperatorRemovesANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		s := n.register(t)
		removal := op.removal(t, s)
		out := op.put(t, removal)
		want := []discovery.Change{{Node: n.id(), Old: s.RID(), New: removal.RID(), Reason: discovery.ReasonOperator}}
		if diff := cmp.Diff(want, w.changes(t, out.Applied), byID()); diff != "" {
			t.Errorf("change list (-want +got):\n%s", diff)
		}
		_, err := n.submit(n.record(t))
		if superseded, ok := errors.AsType[*catalog.SupersededError](err); !ok || superseded.Statement.RID() != removal.RID() {
			t.Errorf("a record of the epoch that was removed: got %v", err)
		}
		n.epoch++
		n.register(t)
		if got := w.listed(t, "billing"); len(got) != 1 {
			t.Errorf("in its next epoch: listed %v", got)
		}
	})
}

func TestTwoOperatorsRemoveOneEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n, a, b := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga"), w.node(t, "operator", "otto")
		s := n.register(t)
		x, y := a.removal(t, s), b.removal(t, s)
		lesser, greater, who, other := x, y, a, b
		if x.Compare(y) > 0 {
			lesser, greater, who, other = y, x, b, a
		}
		other.put(t, greater)
		_, err := who.submit(lesser)
		wantClass(t, err, identity.Superseded)
		if got := w.catalog.Stats().Equivocations; got != 0 {
			t.Errorf("%d equivocations of two operators", got)
		}
	})
}

func TestRevokedRecordsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		w.node(t, "billing", "b-2").register(t)
		s := n.register(t)
		before := w.catalog.Snapshot().Head()
		w.revoke(t, 1, n.cert)
		settled()
		head := w.catalog.Snapshot().Head()
		if want, _ := w.src.Identity().Bundle.CRLHash(); head.CRLs != want || head.Version != before.Version+1 {
			t.Errorf("got version %d under %s, want the next under %s", head.Version, head.CRLs, want)
		}
		want := []discovery.Change{{Node: n.id(), Old: s.RID(), Reason: discovery.ReasonRevoked}}
		if diff := cmp.Diff(want, w.changes(t, head.Version), byID()); diff != "" {
			t.Errorf("change list (-want +got):\n%s", diff)
		}
		_, err := n.submit(s)
		wantClass(t, err, identity.Revoked)
		w.revoke(t, 2, n.cert) // another list with the same content is a version too
		settled()
		if got := w.changes(t, head.Version+1); len(got) != 0 {
			t.Errorf("change list of new CRLs alone: %v", got)
		}
		if diff := cmp.Diff([]string{"b-2"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		w.restart(t)
		if got := w.catalog.Snapshot().Head().Version; got != head.Version+1 {
			t.Errorf("a restart made version %d", got)
		}
	})
}

func TestRevokedOperatorsRemoveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		s := n.register(t)
		op.put(t, op.removal(t, s))
		stranger := w.node(t, "billing", "b-2")
		unseen := stranger.record(t)
		op.put(t, op.removal(t, unseen))
		w.restart(t)
		w.revoke(t, 1, op.cert)
		settled()
		if diff := cmp.Diff([]string{"b-1"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		head := w.catalog.Snapshot().Head()
		want := []discovery.Change{{Node: n.id(), New: s.RID(), Reason: discovery.ReasonPut, Status: discovery.Up, Since: head.Made}}
		if diff := cmp.Diff(want, w.changes(t, head.Version), byID()); diff != "" {
			t.Errorf("change list (-want +got):\n%s", diff)
		}
		stranger.put(t, unseen)
		if diff := cmp.Diff([]string{"b-1", "b-2"}, w.listed(t, "billing")); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		w.restart(t)
	})
}

func TestWhatTwoRevokedOperatorsHidCountsAgain(t *testing.T) {
	for name, together := range map[string]bool{"revoked together": true, "revoked one after the other": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				n, first, second := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga"), w.node(t, "operator", "otto")
				s := n.register(t)
				first.put(t, first.removal(t, s))
				second.put(t, second.removal(t, s, func(x *identity.Tombstone) { x.Epoch++ }))
				w.restart(t)
				if !together {
					w.revoke(t, 1, second.cert)
					settled()
					if got := w.listed(t, "billing"); len(got) != 0 {
						t.Errorf("one of two operators is revoked: listed %v, want nothing", got)
					}
					w.restart(t)
				}
				w.revoke(t, 2, first.cert, second.cert)
				settled()
				if diff := cmp.Diff([]string{"b-1"}, w.listed(t, "billing")); diff != "" {
					t.Errorf("both are revoked: listed (-want +got):\n%s", diff)
				}
				w.restart(t)
				if diff := cmp.Diff([]string{"b-1"}, w.listed(t, "billing")); diff != "" {
					t.Errorf("after a restart: listed (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Of three operators' tombstones the lowest keeps the node removed when the
// others are revoked.
func TestAThirdOperatorsRemovalOutlivesTwoRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		var ops []*node
		for i, name := range []string{"olga", "otto", "oki"} {
			op := w.node(t, "operator", name)
			op.put(t, op.removal(t, s, func(x *identity.Tombstone) { x.Epoch += int64(i) }))
			ops = append(ops, op)
		}
		w.restart(t)
		w.revoke(t, 1, ops[1].cert, ops[2].cert)
		settled()
		_, err := n.submit(n.record(t))
		wantClass(t, err, identity.Superseded)
		if got := w.listed(t, "billing"); len(got) != 0 {
			t.Errorf("listed %v, want nothing", got)
		}
	})
}
