package catalog_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

func TestStatusIsKeptWhileListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		first := w.catalog.Snapshot().Head().Made
		time.Sleep(time.Minute)
		n.register(t)
		if got := w.view(t, "billing", nil).Nodes[0].Since; got != first {
			t.Errorf("signed again: since %d, want %d", got, first)
		}
		time.Sleep(time.Minute)
		n.epoch++
		n.register(t)
		if got, want := w.view(t, "billing", nil).Nodes[0].Since, w.now().Unix(); got != want {
			t.Errorf("in a new epoch: since %d, want %d", got, want)
		}
	})
}

func TestEquivocation(t *testing.T) {
	for _, order := range []string{"the lesser first", "the greater first"} {
		t.Run(order, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				n := w.node(t, "billing", "b-1")
				lesser := n.record(t)
				n.seq--
				greater := n.record(t)
				if lesser.Compare(greater) > 0 {
					lesser, greater = greater, lesser
				}
				if order == "the lesser first" {
					n.put(t, lesser)
					n.put(t, greater)
				} else {
					n.put(t, greater)
					for range 2 {
						_, err := n.submit(lesser)
						wantClass(t, err, identity.Superseded)
					}
				}
				if got := w.view(t, "billing", nil).Nodes[0].RID; got != greater.RID() {
					t.Errorf("listed %s, want the greater, %s", got, greater.RID())
				}
				synctest.Wait()
				if got := w.catalog.Stats().Equivocations; got != 1 {
					t.Errorf("%d equivocations were seen, want 1", got)
				}
				if !strings.Contains(w.log.String(), "node equivocates") {
					t.Error("no event")
				}
				row := w.store.Contents().Nodes[n.id()]
				if row.State != greater.RID() || row.Evidence != lesser.RID() {
					t.Errorf("stored state %s with evidence %s", row.State, row.Evidence)
				}
				w.restart(t)
				n.register(t)
			})
		})
	}
}

func TestRefusedStatementsProlongTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		earlier := n.record(t, func(r *identity.Record) { r.IAT += 30 })
		n.register(t)
		_, err := n.submit(earlier)
		wantClass(t, err, identity.Superseded)
		synctest.Wait()
		if got := w.store.Contents().Nodes[n.id()].GreatestIAT; got != earlier.IssuedAt() {
			t.Errorf("greatest iat %d, want %d", got, earlier.IssuedAt())
		}
	})
}

// TestOrderDoesNotDependOnArrival brings any statements of three nodes in two
// orders, some of them twice, and wants one state.
func TestOrderDoesNotDependOnArrival(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	w.now = func() time.Time { return began }
	b1, b2, s1 := w.node(t, "billing", "b-1"), w.node(t, "billing", "b-2"), w.node(t, "search", "s-1")
	olga, otto := w.node(t, "operator", "olga"), w.node(t, "operator", "otto")
	type sent struct {
		by *node
		s  *identity.Statement
	}
	var all []sent
	for _, n := range []*node{b1, b2, s1} {
		for epoch := range int64(2) {
			for range 2 {
				n.seq = 0
				n.epoch = began.Unix() - 10 + epoch
				s := n.record(t)
				all = append(all, sent{n, s}, sent{n, n.tombstone(t, s)}, sent{n, n.record(t)}, sent{olga, olga.removal(t, s)}, sent{otto, otto.removal(t, s)})
			}
		}
	}
	final := func(t *rapid.T, order []sent) (rows map[string]stateRow, root identity.Hash) {
		store := memstore.New()
		c, err := catalog.New(catalog.Config{Source: w.src, Store: store, Now: w.now, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Open(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		for _, x := range order {
			if _, err := c.Submit(ctx, x.s.Token(), catalog.Peer{Certificate: x.by.cert}); err != nil && identity.CodeOf(err) != identity.Superseded {
				t.Fatalf("submitting: %v", err)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		rows = map[string]stateRow{}
		for id, row := range store.Contents().Nodes {
			if !row.Hidden.IsZero() { // what operators hide is what was held when they came
				row.Evidence = identity.Hash{}
			}
			rows[id.String()] = stateRow{row.State, row.Evidence, row.GreatestIAT, row.Listed}
		}
		return rows, recordsOf(c.Snapshot())
	}
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.SampledFrom(all), 1, 12).Draw(t, "statements")
		other := rapid.Permutation(some).Draw(t, "another order")
		rows, root := final(t, some)
		otherRows, otherRoot := final(t, append(other, some[0]))
		if diff := cmp.Diff(rows, otherRows); diff != "" {
			t.Errorf("states (-one order +another):\n%s", diff)
		}
		if root != otherRoot {
			t.Error("the records differ")
		}
	})
}

type stateRow struct {
	State, Evidence identity.Hash
	GreatestIAT     int64
	Listed          bool
}

// recordsOf folds what two registries must agree on, whenever they learned it.
func recordsOf(s *catalog.Snapshot) identity.Hash {
	var all []byte
	for _, row := range s.Services() {
		all = append(all, row.RecordsRoot[:]...)
	}
	return discovery.ChangesHash(all)
}
