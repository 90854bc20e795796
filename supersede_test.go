package netget_test

import (
	"slices"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

// record signs a record of a node for a place in its order.
func record(t *testing.T, i *identity.Identity, epoch, sequence int64) *identity.Statement {
	t.Helper()
	chain, err := identity.NewChain(i.ID(), 60)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	s, err := identity.SignRecord(identity.Record{
		Check:     identity.Check{Type: identity.CheckNone, Interval: 10},
		Endpoints: []identity.Endpoint{{Address: "192.0.2.1", Name: "default", Port: 1, Protocol: "tcp"}},
		Epoch:     epoch, Sequence: sequence, IAT: now, Exp: now + 60,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 60, Interval: 1}, State: identity.Active,
	}, i.Credential, i.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// remove signs an operator's tombstone for the state of a node.
func (w *world) remove(t *testing.T, state *identity.Statement, epoch int64) *identity.Statement {
	t.Helper()
	now := time.Now().Unix()
	tombstone := identity.NewTombstone(state.Node(), w.ca.Bundle().NID(), epoch, 9007199254740991-1, now)
	s, err := identity.SignTombstone(tombstone, w.ca.Issue(w.ca.ID("operator", "op-1")), w.ca.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFirstRegistrationGoesAfterWhatTheRegistryHolds(t *testing.T) {
	for name, later := range map[string]int64{
		"an earlier epoch": -100, "the same second": 0, "an epoch a little ahead of the clock": 40,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "r1")
			dir := w.folder(t, "svc", "n-1") // without a state: the disk was lost
			held := record(t, load(t, dir), time.Now().Unix()+later, identity.MaxSequence)
			w.registries[0].submit(t, held)
			r := register(t, w.node(t, dir))
			if r.Epoch <= held.Epoch() || w.registries[0].listed(r.ID).RID() != r.RID {
				t.Errorf("got epoch %d, want one after %d, and listed", r.Epoch, held.Epoch())
			}
		})
	}
}

func TestSamePlaceByAnotherGivesWay(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir, func(o *netget.Options) { o.TTL, o.HeartbeatInterval = 12*time.Second, time.Minute })
	r := register(t, n)
	// At half of its life the node signs for this very place. The greater of
	// both names counts for the registry; either way the node has the last word.
	theirs := record(t, load(t, dir), r.Epoch, r.Sequence+1)
	w.registries[0].submit(t, theirs)
	eventually(t, "the node's own record", func() bool {
		now, _ := n.Registration()
		listed := w.registries[0].listed(r.ID)
		return now.RID != r.RID && listed != nil && listed.RID() == now.RID
	})
	if now, _ := n.Registration(); now.Epoch != r.Epoch {
		t.Errorf("got epoch %d, want still %d: the next sequence does", now.Epoch, r.Epoch)
	}
}

func TestAnotherProgramOfTheIdentityIsNoticedAndOutbid(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir)
	r := register(t, n)
	theirs := record(t, load(t, dir), r.Epoch+1, 1)
	w.registries[0].submit(t, theirs)
	eventually(t, "a later epoch of the node", func() bool {
		s := w.registries[0].listed(r.ID)
		return s != nil && s.Epoch() > theirs.Epoch()
	})
	status, err := n.Status(t.Context())
	if err != nil || !slices.Contains(status.Problems, "identity-shared") {
		t.Errorf("got problems %q, error %v; want identity-shared", status.Problems, err)
	}
}

func TestOperatorsTombstoneIsAnsweredOnlyByAStart(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir)
	r := register(t, n)
	registry := w.registries[0]
	registry.submit(t, w.remove(t, registry.listed(r.ID), r.Epoch))
	eventually(t, "the node to hear of it", func() bool {
		status, err := n.Status(t.Context())
		return err == nil && slices.Contains(status.Problems, netget.ErrRemoved.Error())
	})
	if registry.listed(r.ID) != nil {
		t.Fatal("a removed node came back by itself")
	}
	version := registry.catalog.Snapshot().Head().Version
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if got := registry.catalog.Snapshot().Head().Version; got != version {
		t.Errorf("got version %d after Close, want %d: an operator's tombstone needs no other", got, version)
	}
	again := register(t, w.node(t, dir))
	if again.Epoch <= r.Epoch || registry.listed(r.ID) == nil {
		t.Errorf("got epoch %d after %d, want a later one, and listed", again.Epoch, r.Epoch)
	}
}

func TestOperatorsTombstoneAheadOfAFirstRegistration(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	held := record(t, load(t, dir), time.Now().Unix()-10, 1)
	w.registries[0].submit(t, held)
	w.registries[0].submit(t, w.remove(t, held, time.Now().Unix()+30))
	r := register(t, w.node(t, dir))
	if r.Epoch <= time.Now().Unix() || w.registries[0].listed(r.ID) == nil {
		t.Errorf("got epoch %d, want one after the operator's, and listed", r.Epoch)
	}
}
