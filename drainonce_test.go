package netget_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

// lasting signs a record of a node that lives for so long, with a heartbeat each
// minute.
func lasting(t *testing.T, i *identity.Identity, life time.Duration) *identity.Statement {
	t.Helper()
	chain, err := identity.NewChain(i.ID(), int(life/time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	s, err := identity.SignRecord(identity.Record{
		Check:     identity.Check{Type: identity.CheckNone, Interval: 10},
		Endpoints: []identity.Endpoint{{Address: "192.0.2.1", Name: "default", Port: 1, Protocol: "tcp"}},
		Epoch:     7, Sequence: 1, IAT: now, Exp: now + int64(life/time.Second),
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: int64(life / time.Minute), Interval: 60}, State: identity.Active,
	}, i.Credential, i.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDrainOnceLivesWithoutHeartbeatsForAnHourAtMost(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	w.registries[0].submit(t, lasting(t, load(t, dir), 6*time.Hour))
	drained, err := w.node(t, dir).DrainOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := w.registries[0].listed(drained.ID).Record()
	if life := got.Exp - got.IAT; life != 3600 || got.Heartbeat.Count != 1 || got.Heartbeat.Interval != life {
		t.Errorf("got a life of %d s with %d heartbeats each %d s, want 3600 s and one at its end", life, got.Heartbeat.Count, got.Heartbeat.Interval)
	}
}

func TestDrainOnceIsNeverIssuedBeforeWhatItFollows(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	listed := lasting(t, load(t, dir), 10*time.Minute)
	w.registries[0].submit(t, listed)
	behind := func(o *netget.Options) { o.Now = func() time.Time { return time.Now().Add(-20 * time.Second) } }
	if _, err := w.node(t, dir, behind).DrainOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.registries[0].listed(listed.Node())
	if got.RID() == listed.RID() || got.IssuedAt() < listed.IssuedAt() {
		t.Errorf("got one issued at %d, want one at %d or later", got.IssuedAt(), listed.IssuedAt())
	}
}

func TestDrainOnceIsOnDiskBeforeItIsUsed(t *testing.T) {
	w := newWorld(t, "r1")
	l := newLiar(t, w.ca, "r2")
	dir := w.folder(t, "svc", "n-1", onList(l))
	w.registries[0].submit(t, lasting(t, load(t, dir), 10*time.Minute))
	var sent *identity.Statement // the first that came; with what was on disk then
	var onDisk struct{ Epoch, Sequence, IAT int64 }
	l.tell(func(_ http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s != nil && sent == nil {
			sent = s
			if text, err := os.ReadFile(filepath.Join(dir, identity.StateFile)); err == nil {
				_ = json.Unmarshal(text, &onDisk)
			}
		}
		return false
	})
	n := w.node(t, dir)
	eventually(t, "a record at the registry that looks, also if it is slower than the other", func() bool {
		if _, err := n.DrainOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l.got() > 0
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if onDisk.Epoch != sent.Epoch() || onDisk.Sequence < sent.Sequence() || onDisk.IAT < sent.IssuedAt() {
		t.Errorf("%+v was on disk when the record of epoch %d, sequence %d, iat %d came", onDisk, sent.Epoch(), sent.Sequence(), sent.IssuedAt())
	}
}
