package netget_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// The operator's clock is behind, and what the registries list must not be used.
func TestRecordThatMustNotBeUsedIsRemovedByATombstoneIssuedNoEarlier(t *testing.T) {
	behind := func(o *netget.Options) { o.Now = func() time.Time { return time.Now().Add(-20 * time.Second) } }
	one := func(*netget.Options) {}
	for name, row := range map[string]struct {
		enough func(*netget.Options) // registries for the operator
		list   func(t *testing.T, w *world, dir string, operator *netget.Node)
	}{
		"two records for one place": {both, func(t *testing.T, w *world, dir string, _ *netget.Node) {
			t.Helper()
			for _, r := range w.registries {
				r.submit(t, record(t, load(t, dir), 7, 1))
			}
			isLeftOut(t, w.client(t, both)) // the operator has not seen them yet
		}},
		"an earlier record than one that was seen": {one, func(t *testing.T, w *world, dir string, operator *netget.Node) {
			t.Helper()
			for i, r := range w.registries {
				r.submit(t, record(t, load(t, dir), 7, 1+int64(i)))
			}
			eventually(t, "both registries", func() bool {
				found, err := operator.Discover(t.Context(), "svc")
				return err == nil && len(found.Registries) == 2
			})
			w.registries[1].stop()
			isLeftOut(t, operator)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "r1", "r2")
			operator := w.node(t, w.folder(t, "operator", "olga"), behind, row.enough)
			row.list(t, w, w.folder(t, "svc", "n-1"), operator)
			listed := w.registries[0].listed(w.ca.ID("svc", "n-1"))
			removed, err := operator.Remove(t.Context(), "svc", "n-1")
			if err != nil || removed.Epoch != listed.Epoch() {
				t.Fatalf("got %+v, error %v; want the tombstone of epoch %d", removed, err, listed.Epoch())
			}
			tombstone := w.registries[0].instead(t, listed)
			if tombstone.RID() != removed.RID || tombstone.IssuedAt() < listed.IssuedAt() {
				t.Errorf("%s, issued at %d, is the state; want %s, issued at %d or later", tombstone.RID(), tombstone.IssuedAt(), removed.RID, listed.IssuedAt())
			}
		})
	}
}

// isLeftOut wants that the one record of the service must not be used, as n sees it.
func isLeftOut(t *testing.T, n *netget.Node) {
	t.Helper()
	found, err := n.Discover(t.Context(), "svc")
	if err != nil || len(found.Nodes) != 0 || len(found.LeftOut) != 1 {
		t.Fatalf("got %+v, error %v; want one record, left out", found, err)
	}
}

// instead returns the state of a node by which the registry refuses an earlier one.
func (r *registryNode) instead(t *testing.T, earlier *identity.Statement) *identity.Statement {
	t.Helper()
	_, err := r.catalog.Submit(t.Context(), earlier.Token(), catalog.Peer{Certificate: earlier.Certificate()})
	superseded, ok := errors.AsType[*catalog.SupersededError](err)
	if !ok {
		t.Fatalf("got error %v, want that it is superseded", err)
	}
	return superseded.Statement
}

func TestOperatorDoesNotOutbidAnOperator(t *testing.T) {
	w := newWorld(t, "r1")
	l := newLiar(t, w.ca, "r2")
	dir := w.folder(t, "svc", "n-1")
	first := record(t, load(t, dir), time.Now().Unix()-10, 1)
	w.registries[0].submit(t, first)
	theirs := w.remove(t, first, first.Epoch()+5)
	l.tell(func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s != nil {
			refuse(rw, theirs)
		}
		return s != nil
	})
	removed, err := w.node(t, w.folder(t, "operator", "olga", onList(l))).Remove(t.Context(), "svc", "n-1")
	if err != nil || removed.Epoch != first.Epoch() || l.got() > 1 {
		t.Errorf("got a tombstone of epoch %d after %d attempts, error %v; want one, of epoch %d", removed.Epoch, l.got(), err, first.Epoch())
	}
}
