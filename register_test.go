package netget_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

func TestRegisteredNodeIsFoundUntilItCloses(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Run("node", func(t *testing.T) {
		w := newWorld(t, "r1")
		db := w.node(t, w.folder(t, "databaseservice", "db-1"), func(o *netget.Options) {
			o.Metadata = map[string]string{"version": "1.4.2"}
		})
		r := register(t, db)
		if len(r.Accepted) != 1 || r.Accepted[0].ID != w.registries[0].id || len(r.Errors) != 0 {
			t.Errorf("got %+v, want acceptance by r1 alone", r)
		}
		if err := db.RegisterWithNetwork(t.Context()); err != nil {
			t.Errorf("registering twice: %v", err)
		}
		client := w.client(t)
		got, err := client.DiscoverServiceNode(t.Context(), "DatabaseService")
		if err != nil {
			t.Fatal(err)
		}
		if got.RID != r.RID || !got.Active || got.Metadata["version"] != "1.4.2" || got.Endpoints[0].Name != "default" {
			t.Errorf("got %+v, want the active record %s", got, r.RID)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		_, err = client.DiscoverServiceNode(t.Context(), "databaseservice")
		wantError(t, err, netget.ErrNotFound)
		wantError(t, db.RegisterWithNetwork(t.Context()), netget.ErrClosed)
		if err := db.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
	if err := leaks(ignore); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatsGoOn(t *testing.T) {
	w := newWorld(t, "r1")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	eventually(t, "a second heartbeat", func() bool {
		answer, err := w.registries[0].catalog.Snapshot().Answer("svc", 0)
		if err != nil {
			t.Fatal(err)
		}
		var beat identity.Beat
		return json.Unmarshal(answer.Records[0].Heartbeat, &beat) == nil && beat.K >= 2
	})
}

func TestRecordIsSignedAnewAtHalfOfItsLife(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1") // it keeps all that it gets
	n := w.node(t, w.folder(t, "svc", "n-1", onList(l)), func(o *netget.Options) { o.TTL = 4 * time.Second })
	first := register(t, n)
	eventually(t, "a second record", func() bool { return l.got() >= 2 })
	l.mu.Lock()
	second := l.received[1]
	l.mu.Unlock()
	if second.Epoch() != first.Epoch || second.Sequence() != first.Sequence+1 || second.ExpiresAt() <= first.ExpiresAt.Unix() {
		t.Errorf("got epoch %d, sequence %d, end %d; want those that follow %+v", second.Epoch(), second.Sequence(), second.ExpiresAt(), first)
	}
	if half := first.ExpiresAt.Unix() - 2; second.IssuedAt() < half {
		t.Errorf("it was signed at %d, want from %d on", second.IssuedAt(), half)
	}
}

func TestRegistersWhereItCanAndTriesTheOthersAgain(t *testing.T) {
	w := newWorld(t, "r1")
	down := w.addRegistry(t, "r2")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	r := register(t, n)
	if len(r.Accepted) != 1 || len(r.Errors) != 1 || r.Errors[0].URL != down.url() || r.Errors[0].Code != identity.Unavailable {
		t.Fatalf("got %+v, want r1 to accept and %s to be unavailable", r, down.url())
	}
	down.serve(t)
	eventually(t, "the registration at the second registry", func() bool { return down.listed(r.ID) != nil })
	eventually(t, "its acceptance", func() bool {
		r, _ := n.Registration()
		return len(r.Accepted) == 2 && len(r.Errors) == 0
	})
}

func TestSilentRegistryHoldsNobodyUp(t *testing.T) {
	w := newWorld(t, "r1")
	silent := w.addRegistry(t, "r2")
	l := listen(t, silent.address) // it takes connections and never answers
	t.Cleanup(func() { _ = l.Close() })
	n := w.node(t, w.folder(t, "svc", "n-1"))
	began := time.Now()
	r := register(t, n)
	if len(r.Accepted) != 1 || len(r.Errors) != 1 || r.Errors[0].URL != silent.url() || r.Errors[0].Code != identity.Unavailable {
		t.Errorf("got %+v, want r1 to accept and nothing of %s yet", r, silent.url())
	}
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if took := time.Since(began); took > patience || w.registries[0].listed(r.ID) != nil {
		t.Errorf("it took %s, want a second for each of both, and nothing listed", took)
	}
}

func TestRegistryAddedLaterIsRegisteredAt(t *testing.T) {
	w := newWorld(t, "r1", "r2")
	second := w.registries[1]
	n := w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) { o.RegistryNodes = []string{w.registries[0].url()} })
	r := register(t, n)
	if err := n.AddRegistryNode(second.url()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the registration at the second registry", func() bool { return second.listed(r.ID) != nil })
	if err := n.RemoveRegistryNode(w.registries[0].url()); err != nil {
		t.Fatal(err)
	}
	if got := n.RegistryNodes(); len(got) != 1 || got[0] != second.url() {
		t.Errorf("got addresses %q, want %q alone", got, second.url())
	}
}

func TestNoRegistryNamesEachAndWhy(t *testing.T) {
	w := newWorld(t)
	a, b := w.addRegistry(t, "r1"), w.addRegistry(t, "r2")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	err := n.RegisterWithNetwork(t.Context())
	if err == nil || !strings.Contains(err.Error(), a.url()+": ") || !strings.Contains(err.Error(), b.url()+": ") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got error %v, want both registries and why", err)
	}
	if _, ok := n.Registration(); ok {
		t.Error("the node takes itself for registered")
	}
}

func TestCloseEndsARegistrationUnderWay(t *testing.T) {
	w := newWorld(t)
	silent := w.addRegistry(t, "r1")
	l := listen(t, silent.address) // it takes connections and never answers
	t.Cleanup(func() { _ = l.Close() })
	dir := w.folder(t, "svc", "n-1")
	n := w.node(t, dir)
	done := make(chan error, 1)
	go func() { done <- n.RegisterWithNetwork(t.Context()) }()
	eventually(t, "the start of the registration", func() bool {
		_, err := os.Stat(filepath.Join(dir, identity.StateFile))
		return err == nil
	})
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	wantError(t, <-done, netget.ErrClosed)
}

func TestRegisterOnceOutlivesClose(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) { o.TTL = 6 * time.Hour })
	r, err := n.RegisterOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	s := w.registries[0].listed(r.ID)
	if s == nil {
		t.Fatal("nothing is listed after Close")
	}
	record, _ := s.Record()
	if life := record.Exp - record.IAT; life != 3600 || record.Heartbeat.Interval != life {
		t.Errorf("got a life of %d s and heartbeats each %d s, want an hour without", life, record.Heartbeat.Interval)
	}
}

func TestDeregisterGoesByTheFolderOrTheRegistry(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	once := func() netget.Registration {
		t.Helper()
		r, err := w.node(t, dir).RegisterOnce(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := once()
	gone, err := w.node(t, dir).Deregister(t.Context())
	if err != nil || gone.Epoch != first.Epoch || gone.Sequence != first.Sequence+1 || len(gone.Accepted) != 1 {
		t.Fatalf("got %+v, error %v; want the tombstone that follows %+v", gone, err, first)
	}
	_, err = w.node(t, dir).Deregister(t.Context())
	wantError(t, err, netget.ErrNotRegistered)

	second := once()
	if second.Epoch <= first.Epoch {
		t.Errorf("got epoch %d after %d, want a later one", second.Epoch, first.Epoch)
	}
	if err := os.Remove(filepath.Join(dir, identity.StateFile)); err != nil {
		t.Fatal(err)
	}
	gone, err = w.node(t, dir).Deregister(t.Context())
	if err != nil || gone.Epoch != second.Epoch || gone.Sequence != second.Sequence+1 {
		t.Fatalf("got %+v, error %v; want the tombstone that follows %+v", gone, err, second)
	}
	if w.registries[0].listed(second.ID) != nil {
		t.Error("the registry still lists the node")
	}
}

func TestDeregisterEndsTheRegistrationOfThisProgram(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"))
	r := register(t, n)
	if _, err := n.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.Registration(); ok {
		t.Error("the node takes itself for registered")
	}
	version := w.registries[0].catalog.Snapshot().Head().Version
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if got := w.registries[0].catalog.Snapshot().Head().Version; got != version || w.registries[0].listed(r.ID) != nil {
		t.Errorf("got version %d after Close, want %d and nothing listed", got, version)
	}
}

func TestNodeStateFromTheFutureIsDropped(t *testing.T) {
	w := newWorld(t, "r1")
	for name, state := range map[string]string{
		"an epoch":  `{"epoch":99999999999,"sequence":5,"iat":1,"registered":true}`,
		"an iat":    `{"epoch":1,"sequence":5,"iat":99999999999,"registered":true}`,
		"torn text": `{"epoch":`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := w.folder(t, "svc", "n-1")
			if err := os.WriteFile(filepath.Join(dir, identity.StateFile), []byte(state), 0o600); err != nil {
				t.Fatal(err)
			}
			n := w.node(t, dir)
			r := register(t, n)
			s := w.registries[0].listed(r.ID)
			if now := time.Now().Unix(); r.Epoch > now+2 || s.IssuedAt() > now {
				t.Errorf("got epoch %d and iat %d, want the clock's", r.Epoch, s.IssuedAt())
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNodeStateThatOthersMayChangeIsRefused(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	path := filepath.Join(dir, identity.StateFile)
	if err := os.WriteFile(path, []byte(`{"epoch":1,"sequence":5,"iat":1,"registered":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o606); err != nil {
		t.Fatal(err)
	}
	n := w.node(t, dir)
	wantError(t, n.RegisterWithNetwork(t.Context()), identity.ErrFileMode)
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestEpochRisesWithEveryStart(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	var last int64
	for range 3 { // faster than the clock's seconds
		n := w.node(t, dir)
		r := register(t, n)
		if r.Epoch <= last {
			t.Errorf("got epoch %d after %d, want a later one", r.Epoch, last)
		}
		last = r.Epoch
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	w := newWorld(t, "r1")
	dir := w.folder(t, "svc", "n-1")
	for name, c := range map[string]struct {
		edit func(*netget.Options)
		want string
	}{
		"refuses another network":        {func(o *netget.Options) { o.Network = "production" }, "of the network development, not production"},
		"refuses another type":           {func(o *netget.Options) { o.NodeType = "client" }, "is a service, not a client"},
		"refuses no type at all":         {func(o *netget.Options) { o.NodeType = "server" }, "not a node type"},
		"refuses another service":        {func(o *netget.Options) { o.Metadata = map[string]string{"name": "other"} }, "of the service svc, not other"},
		"refuses a life of two days":     {func(o *netget.Options) { o.TTL = 48 * time.Hour }, "the TTL is"},
		"refuses heartbeats too close":   {func(o *netget.Options) { o.HeartbeatInterval = time.Millisecond }, "the heartbeat interval is"},
		"refuses an address that is not": {func(o *netget.Options) { o.RegistryNodes = []string{"http://a:1"} }, "not the address of a registry"},
		"refuses a node without a place": {func(o *netget.Options) { o.Endpoints = nil }, "at least one endpoint"},
		"refuses a place that is none":   {func(o *netget.Options) { o.Endpoints[0].Port = 0 }, "port"},
		"refuses bad metadata":           {func(o *netget.Options) { o.Metadata = map[string]string{"KEY": "v"} }, "KEY"},
		"refuses a probe of UDP": {func(o *netget.Options) {
			o.Endpoints[0].Protocol, o.Check = "udp", netget.Check{Type: "tcp"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.node(t, dir, c.edit).RegisterWithNetwork(t.Context())
			if _, ok := errors.AsType[*netget.OptionsError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want an OptionsError with %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, identity.StateFile)); err == nil {
		t.Error("a node that never registered has a state")
	}
}

func TestNamesAreTakenInAnyCase(t *testing.T) {
	w := newWorld(t, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) {
		o.NodeType, o.Network, o.Metadata = "Service", "Development", map[string]string{"name": "SVC"}
		o.Endpoints = []netget.Endpoint{{Name: "Web", Address: "N1.Example.org", Port: 80, Protocol: "TCP"}}
		o.Check = netget.Check{Type: "HTTP", Path: "/Healthz"}
	})
	register(t, n)
}

func TestClientOffersNoService(t *testing.T) {
	w := newWorld(t, "r1")
	err := w.client(t).RegisterWithNetwork(t.Context())
	if got := identity.CodeOf(err); got != identity.Denied {
		t.Errorf("got error %v of class %q, want %q", err, got, identity.Denied)
	}
}
