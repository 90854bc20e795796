package catalog_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// lesser returns a record for the same place as s which does not become the
// state.
func (n *node) lesser(t *testing.T, s *identity.Statement) *identity.Statement {
	t.Helper()
	other := s
	for other.Compare(s) >= 0 {
		n.seq = s.Sequence() - 1
		other = n.record(t)
	}
	return other
}

func TestEvidenceOfARecordThatEndsMeanwhileIsStoredWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		evil := w.node(t, "search", "evil")
		evil.seq = 20
		first := evil.record(t, func(r *identity.Record) { r.Exp = r.IAT + 3 })
		evil.put(t, first)
		second := evil.lesser(t, first)
		w.store.SetFault(func(op memstore.Op, _ bool) error {
			if op == memstore.Keep {
				return errors.New("busy")
			}
			return nil
		})
		_, err := evil.submit(second)
		wantClass(t, err, identity.Superseded)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if _, stored := w.store.Contents().Objects[second.RID()]; !stored {
			t.Error("the version that removed the record names evidence which it did not store")
		}
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.open(t); err != nil {
			t.Errorf("the registry does not start any more: %v", err)
		}
	})
}

func TestMissingEvidenceDoesNotKeepARegistryFromStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		evil := w.node(t, "search", "evil")
		evil.seq = 20
		first := evil.record(t)
		evil.put(t, first)
		second := evil.lesser(t, first)
		_, err := evil.submit(second)
		wantClass(t, err, identity.Superseded)
		time.Sleep(5 * time.Second)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.store.Edit(func(c *memstore.Contents) { delete(c.Objects, second.RID()) })
		if _, err := w.open(t); err != nil {
			t.Errorf("got %v: evidence is part of no root", err)
		}
	})
}

func TestEvidenceIsStoredUnderSteadyTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		busy, evil := w.node(t, "billing", "busy"), w.node(t, "search", "evil")
		w.store.SetFault(func(op memstore.Op, _ bool) error {
			if op == memstore.Commit { // a slow disk: there is always somebody waiting
				time.Sleep(50 * time.Millisecond)
			}
			return nil
		})
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					go func(s *identity.Statement) { _, _ = busy.submit(s) }(busy.record(t))
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
		evil.seq = 20
		first := evil.record(t)
		evil.put(t, first)
		second := evil.lesser(t, first)
		_, err := evil.submit(second)
		wantClass(t, err, identity.Superseded)
		time.Sleep(2 * time.Second)
		_, stored := w.store.Contents().Objects[second.RID()]
		close(stop)
		<-ended
		if !stored {
			t.Error("evidence waits for a pause in the traffic")
		}
	})
}

func TestALesserRecordBehindARevokedOperatorBlocksNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		evil, op, other := w.node(t, "billing", "evil"), w.node(t, "operator", "olga"), w.node(t, "billing", "b-2")
		evil.seq = 10
		short := evil.record(t, func(r *identity.Record) { r.Exp = r.IAT + 2 })
		evil.put(t, short)
		op.put(t, op.removal(t, short))
		time.Sleep(3 * time.Second) // what was hidden is over
		w.revoke(t, 1, op.cert)
		settled()
		evil.seq = 4
		_, err := evil.submit(evil.record(t))
		wantClass(t, err, identity.Superseded)
		other.seq = 20
		first := other.record(t)
		other.put(t, first)
		second := other.lesser(t, first)
		_, err = other.submit(second)
		wantClass(t, err, identity.Superseded)
		time.Sleep(5 * time.Second)
		if _, stored := w.store.Contents().Objects[second.RID()]; !stored {
			t.Error("nobody's evidence is stored any more")
		}
	})
}

func TestMarkLearntWhileRunningEndsALogThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.node(t, "billing", "b-1").register(t)
		own := w.catalog.Snapshot().Head().Mark()
		for name, mark := range map[string]identity.RegistryMark{"none": {}, "its own": own} {
			if err := w.catalog.CheckMark(t.Context(), mark); err != nil {
				t.Errorf("%s: got %v", name, err)
			}
		}
		above := own
		above.Version += 100
		if err := w.catalog.CheckMark(t.Context(), above); !asFloor(err) {
			t.Errorf("got %v, want a floor", err)
		}
		if err := w.stop(); !asFloor(err) || !asFloor(w.catalog.Err()) {
			t.Errorf("Run returned %v, Err %v: want the floor", err, w.catalog.Err())
		}
	})
}

func TestTombstoneThatARevokedOperatorHidIsAppliedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n, op := w.node(t, "billing", "b-1"), w.node(t, "operator", "olga")
		gone := n.tombstone(t, n.register(t))
		n.put(t, gone)
		op.put(t, op.removal(t, gone))
		w.revoke(t, 1, op.cert)
		settled()
		out := n.put(t, gone)
		if !slices.ContainsFunc(w.changes(t, out.Applied), func(c discovery.Change) bool { return c.New == gone.RID() }) {
			t.Errorf("version %d, which the receipt names, did not apply the tombstone", out.Applied)
		}
	})
}
