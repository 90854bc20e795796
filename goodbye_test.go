package netget_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

func halfAnHour(o *netget.Options) { o.TTL = 30 * time.Minute }

// registerOnce registers a node, and returns its folder.
func (w *world) registerOnce(t *testing.T) (dir string, r netget.Registration) {
	t.Helper()
	dir = w.folder(t, "svc", "n-1")
	r, err := w.node(t, dir, halfAnHour).RegisterOnce(t.Context())
	if err != nil || len(r.Accepted) != len(w.registries) {
		t.Fatalf("got %+v, error %v", r, err)
	}
	return dir, r
}

// A registry that was away hears of the goodbye that all others know, and not of
// another one.
func TestDeregisterAgainSignsNoOtherGoodbye(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir, r := w.registerOnce(t)
	w.registries[1].stop()
	first, err := w.node(t, dir).Deregister(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.registries[1].serve(t)
	later := func(o *netget.Options) { o.Now = func() time.Time { return time.Now().Add(2 * time.Second) } }
	again, err := w.node(t, dir, later).Deregister(t.Context())
	if err != nil || again.RID != first.RID && again.Sequence == first.Sequence {
		t.Errorf("got %+v after %+v, error %v", again, first, err)
	}
	if n := w.registries[0].catalog.Stats().Equivocations; n != 0 {
		t.Errorf("an honest node equivocates %d times", n)
	}
	if w.registries[1].listed(r.ID) != nil {
		t.Error("it is still listed where it was not heard")
	}
}

// Whether the goodbye came through is known to nobody where all attempts failed.
func TestGoodbyeOfUnknownOutcomeIsNotTakenBack(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir, r := w.registerOnce(t)
	w.registries[0].stop()
	w.registries[1].stop()
	if _, err := w.node(t, dir).Deregister(t.Context()); err == nil {
		t.Fatal("nobody runs, and somebody heard it")
	}
	i := load(t, dir) // the request came through, and the answer did not
	tombstone, err := identity.SignTombstone(identity.NewTombstone(i.ID(), i.Bundle.NID(), r.Epoch, r.Sequence, time.Now().Unix()), i.Credential, i.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	w.registries[0].serve(t)
	w.registries[0].submit(t, tombstone)
	w.registries[1].serve(t)
	_, err = w.node(t, dir).UndrainOnce(t.Context())
	wantError(t, err, netget.ErrNotRegistered)
	if w.registries[0].listed(r.ID) != nil {
		t.Error("the node is listed again where it said goodbye")
	}
}

// A start that no registry heard of leaves a later epoch behind.
func TestDrainOnceDoesNotBringBackWhatAnOperatorRemoved(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir, r := w.registerOnce(t)
	w.registries[0].stop()
	w.registries[1].stop()
	if _, err := w.node(t, dir, halfAnHour).RegisterOnce(t.Context()); err == nil {
		t.Fatal("registered with nobody")
	}
	w.registries[0].serve(t)
	w.registries[0].submit(t, w.remove(t, w.registries[0].listed(r.ID), r.Epoch))
	w.registries[1].serve(t)
	for range 2 { // also for a second time
		got, err := w.node(t, dir).UndrainOnce(t.Context())
		if err != nil || got.Epoch != r.Epoch {
			t.Fatalf("got %+v, error %v; want epoch %d", got, err, r.Epoch)
		}
		if w.registries[0].listed(r.ID) != nil {
			t.Error("undrain has brought back what an operator had removed")
		}
	}
	again, err := w.node(t, dir, halfAnHour).RegisterOnce(t.Context())
	if err != nil || again.Epoch <= r.Epoch || w.registries[0].listed(r.ID) == nil {
		t.Errorf("a new start: %+v, error %v; want it listed", again, err)
	}
}

// Commands of one identity that run side by side stand for so many programs.
func TestProgramsOfOneIdentitySignNothingTwice(t *testing.T) {
	w := newWorld(t, "r1")
	dir, r := w.registerOnce(t)
	var mu sync.Mutex
	signed := map[int64]map[identity.Hash]bool{}
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range 8 {
		n := w.node(t, dir, halfAnHour)
		if _, err := n.Discover(t.Context(), "svc"); err != nil { // it is connected
			t.Fatal(err)
		}
		do := []func(context.Context) (netget.Registration, error){n.DrainOnce, n.UndrainOnce, n.DrainOnce, n.Deregister}[i%4]
		all.Go(func() {
			<-start
			got, _ := do(t.Context()) // what is overtaken is refused
			mu.Lock()
			defer mu.Unlock()
			if signed[got.Sequence] == nil {
				signed[got.Sequence] = map[identity.Hash]bool{}
			}
			signed[got.Sequence][got.RID] = true
		})
	}
	close(start)
	all.Wait()
	delete(signed, 0) // nothing was signed
	for sequence, rids := range signed {
		if len(rids) > 1 {
			t.Errorf("%d statements for sequence %d", len(rids), sequence)
		}
	}
	if n := w.registries[0].catalog.Stats().Equivocations; n != 0 {
		t.Errorf("an honest node equivocates %d times", n)
	}
	if _, err := w.node(t, dir).Deregister(t.Context()); err != nil && !errors.Is(err, netget.ErrNotRegistered) {
		t.Error(err)
	}
	if w.registries[0].listed(r.ID) != nil {
		t.Error("it is listed after its goodbye")
	}
}

// In a rolling restart the new program starts before the old one ends.
func TestGoodbyeOfAnEarlierStartLeavesTheLaterOneItsPlace(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	earlier := w.node(t, dir, halfAnHour)
	if err := earlier.RegisterWithNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := func(o *netget.Options) { o.Now = func() time.Time { return time.Now().Add(2 * time.Second) } }
	r, err := w.node(t, dir, halfAnHour, later).RegisterOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = earlier.Close() // its goodbye is superseded
	epoch, sequence, _, ok, err := netget.LoadState(identity.NewFolder(dir), time.Now().Unix())
	if err != nil || !ok || epoch != r.Epoch || sequence != r.Sequence {
		t.Errorf("the place is %d/%d, error %v; want %d/%d", epoch, sequence, err, r.Epoch, r.Sequence)
	}
	if w.registries[0].listed(r.ID) == nil {
		t.Error("the later start is not listed")
	}
}
