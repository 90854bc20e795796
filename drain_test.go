package netget_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// state returns what the registry's record of a node says that it wants to be,
// "" for none.
func (r *registryNode) state(id identity.NodeID) identity.State {
	s := r.listed(id)
	if s == nil {
		return ""
	}
	record, _ := s.Record()
	return record.State
}

func TestDrainingNodeIsNoLongerChosenAndComesBack(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	r := register(t, n)
	client := w.client(t, both)
	for range 2 { // the second time there is nothing to do
		if err := n.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.DiscoverServiceNode(t.Context(), "svc")
	wantError(t, err, netget.ErrNotFound)
	status, err := n.Status(t.Context())
	if err != nil || status.Registration == nil || status.Registration.State != identity.Draining {
		t.Errorf("got status %+v, error %v; want it to show draining", status.Registration, err)
	}
	now, _ := n.Registration()
	if now.State != identity.Draining || now.Epoch != r.Epoch || now.Sequence != r.Sequence+1 {
		t.Errorf("got %+v, want the record after %+v, draining", now, r)
	}
	eventually(t, "both registries to hear of it", func() bool {
		return w.registries[0].state(r.ID) == identity.Draining && w.registries[1].state(r.ID) == identity.Draining
	})
	if err := n.Undrain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := client.DiscoverServiceNode(t.Context(), "svc")
	if err != nil || got.ID != r.ID {
		t.Errorf("got %v, error %v; want %s again", got.ID, err, r.ID)
	}
}

func TestNothingRegisteredDoesNotDrain(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	wantError(t, n.Drain(t.Context()), netget.ErrNotRegistered)
	wantError(t, n.Undrain(t.Context()), netget.ErrNotRegistered)
	_, err := n.DrainOnce(t.Context())
	wantError(t, err, netget.ErrNotRegistered)
	register(t, n)
	if _, err := n.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, n.Drain(t.Context()), netget.ErrNotRegistered)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, n.Drain(t.Context()), netget.ErrClosed)
}

func TestDrainingSurvivesARenewal(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) { o.TTL = 4 * time.Second })
	r := register(t, n)
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var renewed *identity.Statement
	eventually(t, "a renewed record", func() bool {
		renewed = w.registries[0].listed(r.ID)
		return renewed != nil && renewed.Sequence() > r.Sequence+1
	})
	if record, _ := renewed.Record(); record.State != identity.Draining {
		t.Errorf("got state %q after a renewal, want draining", record.State)
	}
}

func TestDrainingSurvivesALaterEpoch(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir)
	r := register(t, n)
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	theirs := record(t, load(t, dir), r.Epoch+1, 1) // active, of another program
	w.registries[0].submit(t, theirs)
	eventually(t, "a later epoch of the node", func() bool {
		s := w.registries[0].listed(r.ID)
		return s != nil && s.Epoch() > theirs.Epoch()
	})
	if got := w.registries[0].state(r.ID); got != identity.Draining {
		t.Errorf("got state %q in a later epoch, want draining", got)
	}
}

// The registry knows a later statement of the node just when that drains.
func TestDrainWaitsForTheAnswerToASupersededRecord(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir, func(o *netget.Options) { o.HeartbeatInterval = time.Hour })
	r := register(t, n)
	w.registries[0].submit(t, record(t, load(t, dir), r.Epoch+1, 1))
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.registries[0].state(r.ID); got != identity.Draining {
		t.Errorf("got state %q, want draining", got)
	}
}

func TestDrainThatNoRegistryTakesFailsAndGoesOn(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1", onList(l)))
	register(t, n)
	l.tell(func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s == nil {
			return false
		}
		rw.Header().Set("Content-Type", discovery.ProblemType)
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	began := time.Now()
	err := n.Drain(t.Context())
	if problem, ok := errors.AsType[*identity.ProblemError](err); !ok || problem.Code != identity.Unavailable {
		t.Errorf("got error %v, want the registry's", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s to say so", took)
	}
	l.tell(nil)
	eventually(t, "the registry to hear of it", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		record, _ := l.held.Record()
		return record.State == identity.Draining
	})
}

func TestOneOfTwoRegistriesIsEnoughToDrain(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	r := register(t, n)
	eventually(t, "both registries", func() bool { now, _ := n.Registration(); return len(now.Accepted) == 2 })
	w.registries[1].stop()
	if err := n.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.registries[0].state(r.ID); got != identity.Draining {
		t.Errorf("got state %q where the registry runs, want draining", got)
	}
	w.registries[1].serve(t)
	eventually(t, "the other registry to hear of it", func() bool { return w.registries[1].state(r.ID) == identity.Draining })
}

func TestRemovedNodeDoesNotDrain(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) { o.HeartbeatInterval = time.Hour })
	r := register(t, n)
	w.registries[0].submit(t, w.remove(t, w.registries[0].listed(r.ID), r.Epoch))
	for range 2 { // it hears of it, and knows it
		wantError(t, n.Drain(t.Context()), netget.ErrRemoved)
	}
	if w.registries[0].listed(r.ID) != nil {
		t.Error("a removed node came back by itself")
	}
}

func TestDrainOnceTurnsWhatIsListed(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir, func(o *netget.Options) {
		o.TTL, o.Metadata = 30*time.Minute, map[string]string{"zone": "a"}
	})
	once, err := n.RegisterOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, _ := w.registries[0].listed(once.ID).Record()
	drained, err := w.node(t, dir).DrainOnce(t.Context())
	if err != nil || drained.State != identity.Draining || drained.Epoch != once.Epoch || drained.Sequence != once.Sequence+1 || len(drained.Accepted) != 1 {
		t.Fatalf("got %+v, error %v; want the record after %+v, draining", drained, err, once)
	}
	after, _ := w.registries[0].listed(once.ID).Record()
	if after.Exp != before.Exp || after.Heartbeat.Interval != after.Exp-after.IAT || after.Metadata["zone"] != "a" || !slices.Equal(after.Endpoints, before.Endpoints) {
		t.Errorf("got %+v, want what %+v said, live to its end", after, before)
	}
	again, err := w.node(t, dir).DrainOnce(t.Context())
	if err != nil || again.Sequence != drained.Sequence+1 || len(again.Accepted) != 1 || again.State != identity.Draining {
		t.Errorf("got %+v, error %v; want the record after %+v, draining too", again, err, drained)
	}
	back, err := w.node(t, dir).UndrainOnce(t.Context())
	if err != nil || back.State != identity.Active || back.Sequence != again.Sequence+1 {
		t.Errorf("got %+v, error %v; want the record after %+v, active", back, err, again)
	}
	got, err := w.client(t).DiscoverServiceNode(t.Context(), "svc")
	if err != nil || got.RID != back.RID {
		t.Errorf("got %v, error %v; want it active again", got, err)
	}
}

func TestDrainOnceOfTheProgramThatRunsIsItsDrain(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	r := register(t, n)
	drained, err := n.DrainOnce(t.Context())
	if err != nil || drained.State != identity.Draining || drained.Sequence != r.Sequence+1 {
		t.Fatalf("got %+v, error %v; want the record after %+v, draining", drained, err, r)
	}
	record, _ := w.registries[0].listed(r.ID).Record()
	if record.Heartbeat.Interval != 1 {
		t.Errorf("got heartbeats each %d s, want them to go on", record.Heartbeat.Interval)
	}
	status, err := n.Status(t.Context())
	if err != nil || len(status.Problems) != 0 {
		t.Errorf("got problems %q, error %v", status.Problems, err)
	}
}

func TestDrainThatIsTakenBackMeanwhileSaysSo(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1", onList(l)))
	register(t, n)
	asked, release := make(chan struct{}), make(chan struct{})
	l.tell(func(_ http.ResponseWriter, _ string, s *identity.Statement) bool {
		if record, ok := recordOf(s); ok && record.State == identity.Draining {
			close(asked)
			l.mu.Unlock()
			<-release
			l.mu.Lock()
		}
		return false
	})
	done := make(chan error, 1)
	go func() { done <- n.Drain(t.Context()) }()
	<-asked
	undrained := make(chan error, 1)
	go func() { undrained <- n.Undrain(t.Context()) }()
	eventually(t, "the record that takes it back", func() bool { r, _ := n.Registration(); return r.State == identity.Active })
	close(release)
	if err := <-undrained; err != nil {
		t.Errorf("taking it back: %v", err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "another call has changed the node's state again") {
		t.Errorf("draining: got error %v, want that it was taken back", err)
	}
}

func recordOf(s *identity.Statement) (*identity.Record, bool) {
	if s == nil {
		return nil, false
	}
	return s.Record()
}

func TestDrainOnceDoesNotBringBackWhatWasDeregistered(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir := w.folder(t, "svc", "n-1")
	once, err := w.node(t, dir, func(o *netget.Options) { o.TTL = 30 * time.Minute }).RegisterOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.registries[1].stop()
	if _, err := w.node(t, dir).Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.registries[1].serve(t) // it has not heard of that
	for name, turn := range map[string]func(*netget.Node, context.Context) (netget.Registration, error){"drain": (*netget.Node).DrainOnce, "undrain": (*netget.Node).UndrainOnce} {
		if got, err := turn(w.node(t, dir), t.Context()); !errors.Is(err, netget.ErrNotRegistered) {
			t.Errorf("%s: accepted by %d, %v; want %v", name, len(got.Accepted), err, netget.ErrNotRegistered)
		}
	}
	if w.registries[0].listed(once.ID) != nil {
		t.Error("the node is listed again")
	}
}

func TestDrainOnceReachesWhoWasAwayTheFirstTime(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	dir := w.folder(t, "svc", "n-1")
	once, err := w.node(t, dir, func(o *netget.Options) { o.TTL = 30 * time.Minute }).RegisterOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.registries[1].stop()
	if first, err := w.node(t, dir).DrainOnce(t.Context()); err != nil || len(first.Accepted) != 1 {
		t.Fatalf("the first time: accepted by %d, %v", len(first.Accepted), err)
	}
	w.registries[1].serve(t)
	if again, err := w.node(t, dir).DrainOnce(t.Context()); err != nil || len(again.Accepted) != 2 {
		t.Errorf("again: accepted by %d, %v", len(again.Accepted), err)
	}
	if got := w.registries[1].state(once.ID); got != identity.Draining {
		t.Errorf("at who was away it is %q", got)
	}
}
