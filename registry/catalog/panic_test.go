package catalog_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// panicking is a bug that a call of the store brings to light.
func panicking(op memstore.Op) memstore.Fault {
	return func(got memstore.Op, _ bool) error {
		if got == op {
			panic("a planted bug")
		}
		return nil
	}
}

// Whoever waits for a committer that panics is told so, also who waits for the
// version after; what was acknowledged before is there at the next start.
func TestPanicOfTheCommitterFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		before := w.node(t, "billing", "before")
		before.register(t)
		w.store.SetFault(panicking(memstore.Commit))
		n, other := w.node(t, "billing", "b-1"), w.node(t, "billing", "b-2")
		var waiting sync.WaitGroup
		for _, s := range []*identity.Statement{n.record(t), n.record(t)} { // the second cannot be of the same version
			waiting.Go(func() {
				_, err := n.submit(s)
				wantClass(t, err, identity.Unavailable)
			})
		}
		waiting.Go(func() {
			_, err := other.submit(other.record(t))
			wantClass(t, err, identity.Unavailable)
		})
		waiting.Wait()
		var bug *catalog.PanicError
		if err := w.stop(); !errors.As(err, &bug) || bug.Cause != "a planted bug" {
			t.Errorf("Run returned %v", err)
		}
		if err := w.catalog.Err(); !errors.As(err, &bug) {
			t.Errorf("the network is served although its committer has panicked: %v", err)
		}
		head := w.catalog.Snapshot().Head()
		time.Sleep(time.Minute)
		if again := w.catalog.Snapshot().Head(); again != head {
			t.Error("a head was signed after the panic")
		}
		_, err := other.submit(other.record(t))
		wantClass(t, err, identity.Unavailable)
		if got := w.catalog.Stats().CommitterPanics; got != 1 {
			t.Errorf("%d panics are counted, want 1", got)
		}
		w.store.SetFault(nil)
		w.run(t)
		if got := w.listed(t, "billing"); len(got) != 1 || got[0] != "before" {
			t.Errorf("the next start lists %q", got)
		}
	})
}

func TestPanicOfTheWriterCostsOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		rid := n.register(t).RID()
		time.Sleep(15 * time.Second)
		w.store.SetFault(panicking(memstore.SaveBeats))
		n.beat(t, rid, 1)
		time.Sleep(1500 * time.Millisecond)
		w.store.SetFault(nil)
		time.Sleep(15 * time.Second)
		n.beat(t, rid, 2)
		time.Sleep(2 * time.Second)
		if got := w.store.Contents().Beats[n.id()].Beat.K; got != 2 {
			t.Errorf("heartbeat %d is stored, want 2", got)
		}
		if got := w.catalog.Stats().WriterPanics; got < 1 {
			t.Errorf("%d panics are counted, want some", got)
		}
	})
}
