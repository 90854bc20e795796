package netget_test

import (
	"net/http"
	"testing"

	"github.com/neurons-me/netget/identity"
)

func TestDrainingNodeRevealsNoTokenOfItsActiveRecord(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1", onList(l)))
	register(t, n)
	refuses := func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s != nil {
			tellProblem(rw, identity.Unavailable)
		}
		return s != nil
	}
	l.tell(refuses)
	if err := n.Drain(t.Context()); err == nil {
		t.Fatal("drained, though the registry has refused")
	}
	l.tell(refuses) // from here on only what the node sent after it
	eventually(t, "three more attempts, each a second after the last", func() bool { return l.got() >= 3 })
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.beats) != 0 {
		t.Errorf("%d tokens of the active record were revealed", len(l.beats))
	}
}
