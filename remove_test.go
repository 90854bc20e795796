package netget_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

// operator returns a node that acts as an operator of the network.
func (w *world) operator(t *testing.T) *netget.Node {
	t.Helper()
	return w.node(t, w.folder(t, "operator", "olga"))
}

func TestOperatorRemovesANodeWhichStaysOutUntilItIsStartedAgain(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir)
	r := register(t, n)
	removed, err := w.operator(t).Remove(t.Context(), "SVC", "N-1")
	if err != nil || removed.ID != r.ID || removed.Epoch != r.Epoch || removed.Sequence != identity.OperatorSequence || len(removed.Accepted) == 0 || removed.State != "" {
		t.Fatalf("got %+v, error %v; want the operator's tombstone of epoch %d", removed, err, r.Epoch)
	}
	<-n.Removed()
	status, err := n.Status(t.Context())
	if err != nil || !slices.Contains(status.Problems, netget.ErrRemoved.Error()) {
		t.Errorf("got problems %q, error %v; want %q", status.Problems, err, netget.ErrRemoved)
	}
	if w.registries[0].listed(r.ID) != nil {
		t.Error("it is listed")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	again := register(t, w.node(t, dir))
	if again.Epoch <= r.Epoch || w.registries[0].listed(r.ID) == nil {
		t.Errorf("got epoch %d after %d, want a later one, and listed", again.Epoch, r.Epoch)
	}
}

func TestOnlyOperatorsRemove(t *testing.T) {
	w := newWorld(t, "r1")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	for _, n := range []*netget.Node{w.client(t), w.node(t, w.folder(t, "svc", "n-2"))} {
		_, err := n.Remove(t.Context(), "svc", "n-1")
		if got := identity.CodeOf(err); got != identity.Denied {
			t.Errorf("got error %v of class %q, want %q", err, got, identity.Denied)
		}
	}
}

func TestNodeThatIsNotListedIsNotRemoved(t *testing.T) {
	w := newWorld(t, "r1")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	operator := w.operator(t)
	for _, name := range [][2]string{{"svc", "n-2"}, {"other", "n-1"}} {
		_, err := operator.Remove(t.Context(), name[0], name[1])
		wantError(t, err, netget.ErrNotFound)
	}
	if _, err := operator.Remove(t.Context(), "svc", "n_1"); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("got error %v, want %s", err, identity.Malformed)
	}
}

// The operator is told of an earlier state than the registry holds by the time
// that the tombstone comes.
func TestRemovalFollowsANodeThatStartsMeanwhile(t *testing.T) {
	w := newWorld(t, "r1")
	l := newLiar(t, w.ca, "evil")
	dir := w.folder(t, "svc", "n-1")
	first := record(t, load(t, dir), time.Now().Unix()-10, 1)
	w.registries[0].submit(t, first)
	later := record(t, load(t, dir), time.Now().Unix()+20, 1)
	l.tell(func(rw http.ResponseWriter, path string, s *identity.Statement) bool {
		if path == "/v1/records" && s.Epoch() < later.Epoch() {
			refuse(rw, later)
			return true
		}
		return false
	})
	n := w.node(t, w.folder(t, "operator", "olga", onList(l)))
	removed, err := n.Remove(t.Context(), "svc", "n-1")
	if err != nil || removed.Epoch != later.Epoch() || w.registries[0].listed(first.Node()) != nil {
		t.Errorf("got %+v, error %v; want the tombstone of epoch %d", removed, err, later.Epoch())
	}
}
