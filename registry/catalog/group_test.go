package catalog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// held makes the next commit wait until release is called.
func (w *world) held() (entered <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	var first sync.Once
	w.store.SetFault(func(op memstore.Op, done bool) error {
		if op == memstore.Commit && !done {
			first.Do(func() {
				close(in)
				<-out
			})
		}
		return nil
	})
	return in, func() { close(out) }
}

func TestWhatWaitsBecomesOneVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		entered, release := w.held()
		var all sync.WaitGroup
		submit := func(n *node, s *identity.Statement) {
			all.Go(func() {
				if _, err := n.submit(s); err != nil {
					t.Errorf("submitting: %v", err)
				}
			})
		}
		first := w.node(t, "billing", "b-0")
		submit(first, first.record(t))
		<-entered
		for i := range 20 {
			n := w.node(t, "billing", fmt.Sprintf("n-%d", i))
			submit(n, n.record(t))
		}
		twice := w.node(t, "billing", "twice")
		submit(twice, twice.record(t))
		synctest.Wait()
		submit(twice, twice.record(t))
		synctest.Wait()
		release()
		all.Wait()
		if v := w.catalog.Snapshot().Head().Version; v != 4 {
			t.Errorf("got version %d, want 4: the first, what waited, the second change of one node", v)
		}
		if got := len(w.changes(t, 3)); got != 21 {
			t.Errorf("version 3 has %d changes, want 21", got)
		}
		w.view(t, "billing", nil)
	})
}

func TestVersionsKeepTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		began, before := time.Now(), w.catalog.Snapshot().Head().Version
		var last *catalog.Outcome
		for time.Since(began) < 10*time.Second {
			last = n.put(t, n.record(t))
		}
		if got := last.Applied - before; got > 2000 || got < 1000 {
			t.Errorf("%d versions in 10 s, want at most 2,000, and not much less", got)
		}
	})
}

func TestMoreChangesThanOneVersionTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		const nodes = discovery.MaxChanges + 4
		var all sync.WaitGroup
		for i := range nodes {
			n := w.node(t, fmt.Sprintf("service-%d", i%64), fmt.Sprintf("n-%d", i))
			s := n.record(t, func(r *identity.Record) { r.Exp = r.IAT + 600 })
			all.Go(func() {
				if _, err := n.submit(s); err != nil {
					t.Errorf("submitting: %v", err)
				}
			})
		}
		all.Wait()
		if got := w.catalog.Snapshot().Head().Records; got != nodes {
			t.Errorf("%d records, want %d", got, nodes)
		}
		before := w.catalog.Snapshot().Head().Version
		time.Sleep(601 * time.Second)
		synctest.Wait()
		head := w.catalog.Snapshot().Head()
		if head.Version != before+2 || head.Records != 0 {
			t.Errorf("the end of all: %d versions, %d records are left; want 2, none", head.Version-before, head.Records)
		}
		w.restart(t)
	})
}

func TestServicesHaveTheirLimits(t *testing.T) {
	w := newWorld(t)
	one := discovery.Listed{Record: w.node(t, "billing", "b-1").record(t), Status: discovery.Up, Since: 1}
	full := discovery.NewService("billing", slices.Repeat([]discovery.Listed{one}, discovery.MaxServiceRecords))
	wantClass(t, catalog.CheckRoom(full, 1000, 1000), identity.Limits)
	small := discovery.NewService("billing", []discovery.Listed{one})
	wantClass(t, catalog.CheckRoom(small, discovery.MaxServiceBytes-999, 1000), identity.Limits)
	if err := catalog.CheckRoom(small, discovery.MaxServiceBytes-1000, 1000); err != nil {
		t.Errorf("just within the limits: %v", err)
	}
}
