package main_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// clockStep is by how much the registry's clock goes wrong; certificates are
// older than that, so that they stay in time.
const (
	clockStep   = 10 * time.Minute
	certAge     = time.Hour
	clockLimit  = 90 * time.Second // for what a registry does at least every 5 s
	overAfter   = discovery.HeadLife + identity.ClockSkew
	clockBeatAt = 1 // the first heartbeat's number
)

// A clockWorld is a registry whose clock can be set, with a node that is
// registered there.
type clockWorld struct {
	*drillWorld
	t     *testing.T
	clock *scripttest.Clock
	node  *crashNode
	judge *identity.Source // the client that looks on
	marks *discovery.Marks // what it remembers over all of the test
	mark  int64            // the newest version seen
	made  int64            // of that version
	iat   int64            // of its head
}

func newClockWorld(t *testing.T) *clockWorld {
	t.Helper()
	w := &clockWorld{
		drillWorld: newDrillWorldAt(t, func() time.Time { return time.Now().Add(-certAge) }), t: t,
		clock: scripttest.NewClock(t, filepath.Join(t.TempDir(), "clock")), marks: discovery.NewMarks(),
	}
	w.env = []string{w.clock.Env()}
	w.start(t)
	w.judge = w.enrolNamed(t, "client", "judge")
	w.node = &crashNode{source: w.enrolNamed(t, "databaseservice", "db-1"), marks: discovery.NewMarks()}
	w.node.restart(w.newDiscovery(t, w.node.source, w.node.marks, time.Now))
	if err := w.node.registerOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.look(0); err != nil {
		t.Fatal(err)
	}
	return w
}

// look asks for the node as a client whose clock is so much beside ours, and
// that has seen all that was seen before. The registry never goes back, and
// the node is listed, by whatever clock: it lives by its own signed times.
func (w *clockWorld) look(beside time.Duration) error {
	w.t.Helper()
	client := w.newDiscovery(w.t, w.judge, w.marks, func() time.Time { return time.Now().Add(beside) })
	defer client.Close()
	found, err := patiently(w.t.Context(), client, "databaseservice")
	if err != nil {
		return err
	}
	head := found.Registries[0].Head
	now := time.Now().Add(beside).Unix()
	if skew := int64(identity.ClockSkew / time.Second); head.IAT > now+skew || now >= head.Exp+skew {
		w.t.Errorf("a client accepted a head of %d to %d at %d", head.IAT, head.Exp, now)
	}
	if head.Version < w.mark || head.Made < w.made || head.IAT < head.Made {
		w.t.Errorf("version %d made at %d, signed at %d, after version %d made at %d", head.Version, head.Made, head.IAT, w.mark, w.made)
	}
	w.mark, w.made, w.iat = head.Version, head.Made, head.IAT
	if len(found.Nodes) != 1 || len(found.LeftOut) != 0 {
		w.t.Errorf("%d nodes are listed and %d left out, want one and none", len(found.Nodes), len(found.LeftOut))
	}
	if !w.node.isKeptBy(found) {
		w.t.Error("the node is listed with less than was acknowledged")
	}
	return nil
}

// refuses waits until a client with the right clock is refused by its own
// verification, with this class.
func (w *clockWorld) refuses(beside time.Duration, code identity.Code) {
	w.t.Helper()
	eventually(w.t, clockLimit, "a client refuses with "+string(code), func() bool {
		err := w.look(beside)
		if got := identity.CodeOf(err); err != nil && got != code {
			w.t.Fatalf("refused with %q, want %q: %v", got, code, err)
		}
		return err != nil
	})
}

// accepts waits until a client is answered again.
func (w *clockWorld) accepts(beside time.Duration) time.Duration {
	w.t.Helper()
	var err error
	defer func() {
		if err != nil {
			w.t.Logf("the last refusal: %v", err)
		}
	}()
	return eventually(w.t, clockLimit, "a client is answered", func() bool { err = w.look(beside); return err == nil })
}

// beat sends the heartbeat k of the node.
func (w *clockWorld) beat(k int64) (*discovery.BeatReply, error) {
	w.t.Helper()
	token, ok := w.node.chain.Token(k)
	if !ok {
		w.t.Fatalf("no token %d", k)
	}
	client := w.newDiscovery(w.t, w.node.source, w.node.marks, time.Now)
	defer client.Close()
	return client.Beat(w.t.Context(), client.Remotes()[0], w.node.acknowledged, identity.Beat{K: k, Token: token}, false)
}

// A registry whose clock went ahead and came back signs heads of the present
// again, and has dropped nothing.
func TestClockStepForwardAndBack(t *testing.T) {
	t.Parallel()
	w := newClockWorld(t)
	before := w.mark

	w.clock.Shift(clockStep)
	w.refuses(0, identity.BadTime)
	if err := w.look(clockStep); err != nil {
		t.Errorf("a client of the registry's time: %v", err)
	}
	reply, err := w.beat(clockBeatAt)
	if err != nil || !reply.Late {
		t.Errorf("a heartbeat in time, at a registry ahead of it: %+v, %v; want it late", reply, err)
	}

	w.clock.Shift(0)
	took := w.accepts(0)
	if w.mark != before {
		t.Errorf("the registry made version %d of version %d, and nothing happened", w.mark, before)
	}
	if err := w.register(); err != nil {
		t.Errorf("registering after the step: %v", err)
	}
	testdrill.Say(t, "      heads of the present %s after the clock came back", took.Round(10*time.Millisecond))
}

// What was committed ahead of time stays where it is in the order: no head of
// it is from before it was made, so clients wait until their clocks reach it.
// Nothing is lost over that, not even by a restart.
func TestClockStepForwardWithACommitWaitsForTheTime(t *testing.T) {
	t.Parallel()
	w := newClockWorld(t)

	w.clock.Shift(clockStep)
	if err := w.register(); identity.CodeOf(err) != identity.BadTime {
		t.Errorf("a receipt from the future was taken: %v", err)
	}
	w.node.acknowledged = w.node.signed // the next look, by the registry's time, shows it
	if err := w.look(clockStep); err != nil {
		t.Errorf("a client of the registry's time: %v", err)
	}
	ahead := w.made

	w.clock.Shift(0)
	w.refuses(0, identity.BadTime)
	w.registry.stop(t)
	w.startRegistry(t)
	w.refuses(0, identity.BadTime)

	near := time.Until(time.Unix(ahead, 0)) - identity.ClockSkew + 2*time.Second
	w.clock.Shift(near)
	w.accepts(near)
	if w.made != ahead {
		t.Errorf("the version was made at %d, before at %d", w.made, ahead)
	}
}

// A registry whose clock went back signs nothing as fresh that is not, refuses
// what is of its future, and is as before when the clock is right again.
func TestClockStepBackAndForward(t *testing.T) {
	t.Parallel()
	w := newClockWorld(t)
	before := w.mark

	w.clock.Shift(-clockStep)
	eventually(t, clockLimit, "the registry goes by its new clock", func() bool {
		_, err := w.beat(clockBeatAt)
		if err != nil && identity.CodeOf(err) != identity.BadTime {
			t.Fatalf("a heartbeat of the registry's future: %v", err)
		}
		return err != nil
	})
	if err := w.register(); identity.CodeOf(err) != identity.BadTime {
		t.Errorf("a record of the registry's future: %v", err)
	}
	// Its heads are of the moment at which the version was made, also those that
	// are signed now: a client sees them end as if nothing had been signed since.
	w.registry.stop(t)
	w.startRegistry(t)
	if err := w.look(0); err == nil && w.iat != w.made {
		t.Errorf("a head of %d was signed for a version made at %d, by a clock that is before it", w.iat, w.made)
	} else if err != nil && identity.CodeOf(err) != identity.Stale {
		t.Errorf("a client with the right clock: %v", err)
	}
	if err := w.look(time.Until(time.Unix(w.made, 0)) + overAfter + time.Second); identity.CodeOf(err) != identity.Stale {
		t.Errorf("a client at the end of the version's first head: %v, want stale", err)
	}

	w.clock.Shift(0)
	w.accepts(0)
	if w.mark != before {
		t.Errorf("the registry made version %d of version %d, and nothing happened", w.mark, before)
	}
	if err := w.register(); err != nil {
		t.Errorf("registering after the step: %v", err)
	}
	if err := w.look(0); err != nil {
		t.Error(err)
	}
}

// register registers the node's next record.
func (w *clockWorld) register() error {
	ctx, cancel := context.WithTimeout(w.t.Context(), askTimeout)
	defer cancel()
	w.node.client = w.newDiscovery(w.t, w.node.source, w.node.marks, time.Now)
	defer w.node.client.Close()
	return w.node.registerOnce(ctx)
}
