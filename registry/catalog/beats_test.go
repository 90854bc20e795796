package catalog_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

func (n *node) try(rid identity.Hash, b identity.Beat) (*catalog.BeatOutcome, error) {
	return n.w.catalog.Beat(context.Background(), catalog.Peer{Certificate: n.cert}, rid, b)
}

// beat sends the node's k-th heartbeat and requires that it is taken.
func (n *node) beat(tb testing.TB, rid identity.Hash, k int64) *catalog.BeatOutcome {
	tb.Helper()
	token, ok := n.chain.Token(k)
	if !ok {
		tb.Fatalf("no token %d", k)
	}
	out, err := n.try(rid, identity.Beat{K: k, Token: token})
	if err != nil {
		tb.Fatalf("heartbeat %d: %v", k, err)
	}
	return out
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		rid := s.RID()
		time.Sleep(30 * time.Second)

		out := n.beat(t, rid, 1)
		if !out.Late || out.RID != rid || out.Status.String() != "up" || out.Time != w.now().Unix() {
			t.Errorf("15 s late: got %+v", out)
		}
		if out := n.beat(t, rid, 2); out.Late {
			t.Error("in time, yet called late")
		}
		n.beat(t, rid, 2) // the same again
		n.beat(t, rid, 1) // a lower one
		if v := w.view(t, "billing", nil); !v.Nodes[0].Live {
			t.Error("the record is not live after its heartbeat")
		}

		t3, _ := n.chain.Token(3)
		stranger := w.node(t, "billing", "b-2")
		client := w.node(t, "client", "c-1")
		for _, tt := range []struct {
			name string
			n    *node
			rid  identity.Hash
			beat identity.Beat
			want identity.Code
		}{
			{"a token from the future", n, rid, identity.Beat{K: 9, Token: t3}, identity.BadTime},
			{"a token of another slot", n, rid, identity.Beat{K: 4, Token: t3}, identity.BadSignature},
			{"a forged token", n, rid, identity.Beat{K: 3}, identity.BadSignature},
			{"beyond the chain", n, rid, identity.Beat{K: 241, Token: t3}, identity.Limits},
			{"slot zero", n, rid, identity.Beat{K: 0}, identity.Limits},
			{"another record", n, identity.Hash{1}, identity.Beat{K: 3, Token: t3}, identity.Superseded},
			{"a node that is not known", stranger, rid, identity.Beat{K: 3, Token: t3}, identity.NotFound},
			{"a client's connection", client, rid, identity.Beat{K: 3, Token: t3}, identity.NotFound},
		} {
			_, err := tt.n.try(tt.rid, tt.beat)
			if got := identity.CodeOf(err); got != tt.want {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
			if k := w.kept(t, n); k != 2 {
				t.Errorf("%s: the heartbeat that counts is %d, want 2", tt.name, k)
			}
		}
	})
}

// kept returns which heartbeat of a node counts now.
func (w *world) kept(tb testing.TB, n *node) int64 {
	tb.Helper()
	for _, listed := range w.view(tb, n.id().Service(), nil).Nodes {
		if listed.Record.Node == n.id() {
			return listed.Beat.K
		}
	}
	return -1
}

func TestHeartbeatOfAnotherState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		old := n.register(t)
		next := n.register(t)
		_, err := n.try(old.RID(), identity.Beat{K: 1})
		superseded, ok := errors.AsType[*catalog.SupersededError](err)
		if !ok || superseded.Statement.RID() != next.RID() {
			t.Errorf("got %v, want the present record", err)
		}
		tomb := n.tombstone(t, next)
		n.put(t, tomb)
		_, err = n.try(next.RID(), identity.Beat{K: 1})
		superseded, ok = errors.AsType[*catalog.SupersededError](err)
		if !ok || superseded.Statement.RID() != tomb.RID() {
			t.Errorf("got %v, want the tombstone", err)
		}
	})
}

func TestHeartbeatsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		time.Sleep(45 * time.Second)
		n.beat(t, s.RID(), 2)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.store.Contents().Beats[n.id()].Beat.K; got != 2 {
			t.Errorf("stored heartbeat: got %d, want 2", got)
		}
		n.beat(t, s.RID(), 3) // flushed by the stop
		w.restart(t)
		if k := w.kept(t, n); k != 3 {
			t.Errorf("after the restart heartbeat %d counts, want 3", k)
		}
		w.store.Edit(func(c *memstore.Contents) {
			row := c.Beats[n.id()]
			row.Beat.Token[0]++
			c.Beats[n.id()] = row
		})
		w.restart(t)
		if k := w.kept(t, n); k != 0 {
			t.Errorf("a forged stored heartbeat counts as %d, want none", k)
		}
	})
}

func TestHeartbeatsWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		time.Sleep(16 * time.Second)
		w.store.SetFault(failing(memstore.SaveBeats, false))
		n.beat(t, s.RID(), 1)
		time.Sleep(3 * time.Second)
		w.store.SetFault(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.store.Contents().Beats[n.id()].Beat.K; got != 1 {
			t.Errorf("stored heartbeat: got %d, want 1", got)
		}
	})
}
