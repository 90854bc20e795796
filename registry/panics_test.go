package registry_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A trap is a clock that panics while it is armed.
type trap struct{ armed atomic.Bool }

func (tr *trap) now() time.Time {
	if tr.armed.Load() {
		panic("a planted bug")
	}
	return time.Now()
}

// panicsAt returns how many panics were caught at a place.
func panicsAt(t *testing.T, from *prometheus.Registry, where string) float64 {
	t.Helper()
	return labelled(t, from, "netget_registry_panics_total", where)
}

// labelled returns the value of a counter with one label.
func labelled(t *testing.T, from *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %s", name, label)
	return 0
}

// trapped serves a network in memory by a clock that can panic.
func trapped(t *testing.T) (w *world, l *pipeListener, tr *trap, metrics *prometheus.Registry) {
	t.Helper()
	w, tr, metrics, l = newWorld(t, "production", time.Now), &trap{}, prometheus.NewRegistry(), newPipeListener()
	servePipe(t, w, l, func(c *registry.Config) { c.Now, c.Metrics = tr.now, metrics })
	return w, l, tr, metrics
}

func TestPanicOfAHandlerIsCaughtAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, tr, metrics := trapped(t)
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		unlucky := over(t, w, l.dial(), cred)
		want(t, get(t, "/v1/head", unlucky), http.StatusOK)
		tr.armed.Store(true)
		if res, err := ask(t, unlucky, "/v1/head"); err == nil {
			t.Errorf("a panic got status %d", read(t, res).status)
		}
		tr.armed.Store(false)
		want(t, get(t, "/v1/head", over(t, w, l.dial(), cred)), http.StatusOK)
		if got := panicsAt(t, metrics, "handler"); got != 1 {
			t.Errorf("%v panics are counted, want 1", got)
		}
	})
}

func TestPanicOfAHandshakeIsCaughtAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, tr, metrics := trapped(t)
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		tr.armed.Store(true)
		if res, err := ask(t, over(t, w, l.dial(), cred), "/v1/head"); err == nil {
			t.Errorf("a panic got status %d", read(t, res).status)
		}
		tr.armed.Store(false)
		want(t, get(t, "/v1/head", over(t, w, l.dial(), cred)), http.StatusOK)
		if got := panicsAt(t, metrics, "handshake"); got != 1 {
			t.Errorf("%v panics are counted, want 1", got)
		}
	})
}

// A connection that cannot be judged ends.
func TestPanicOfTheSweeperIsCaughtAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, tr, metrics := trapped(t)
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		c := l.dial()
		want(t, get(t, "/v1/head", over(t, w, c, cred)), http.StatusOK)
		tr.armed.Store(true)
		if got := c.ends(time.Minute); got > 5*time.Second {
			t.Errorf("the connection ended after %s", got)
		}
		tr.armed.Store(false)
		want(t, get(t, "/v1/head", over(t, w, l.dial(), cred)), http.StatusOK)
		if got := panicsAt(t, metrics, "sweeper"); got != 1 {
			t.Errorf("%v panics are counted, want 1", got)
		}
	})
}

// net/http verifies the authority in goroutines of its own.
func TestPanicWhileTheAuthorityIsVerifiedIsSurvived(t *testing.T) {
	w, tr, log := newWorld(t, "production", time.Now), &trap{}, &entries{}
	authority := newFakeAuthority(t, w)
	s, err := registry.New(registry.Config{
		Networks: []registry.Network{{Source: w.source, Catalog: w.catalog}}, Now: tr.now, Logger: slog.New(slog.NewJSONHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	tr.armed.Store(true)
	stop := background(t, s.ReportHeads)
	waitFor(t, "the report fails for the panic", func() bool { return log.count("verifying the other side panicked") > 0 })
	stop()
	tr.armed.Store(false)
	background(t, s.ReportHeads)
	if got := <-authority.reports; got != "asked" {
		t.Errorf("the next report was %q", got)
	}
}

// ask is get, with the error.
func ask(t *testing.T, c *http.Client, path string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity") // keeps the length
	return c.Do(req)
}

// A brokenStore panics while it is armed.
type brokenStore struct {
	catalog.Store
	armed atomic.Bool
}

func (s *brokenStore) Commit(ctx context.Context, b catalog.Batch) error {
	if s.armed.Load() {
		panic("a planted bug")
	}
	return s.Store.Commit(ctx, b)
}

func TestPanicOfTheCommitterEndsItsNetworkAlone(t *testing.T) {
	store, metrics := &brokenStore{Store: memstore.New()}, prometheus.NewRegistry()
	bad := newClosedWorld(t, "production", time.Now, store)
	if err := bad.catalog.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- bad.catalog.Run(ctx) }()
	t.Cleanup(cancel)
	good := newWorld(t, "staging", time.Now)
	s := serve(t, func(c *registry.Config) { c.Metrics = metrics }, bad, good)
	unlucky, lucky := newNode(t, bad, s, "databaseservice", "db-1"), newNode(t, good, s, "databaseservice", "db-1")
	unlucky.register(1)
	store.armed.Store(true)
	record, _ := unlucky.record(2)
	refused(t, unlucky.post("/v1/records", discovery.JWSType, []byte(record.Token())), http.StatusServiceUnavailable, identity.Unavailable)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "a planted bug") {
		t.Errorf("the committer ended with %v", err)
	}
	store.armed.Store(false) // nothing starts again by itself
	refused(t, unlucky.post("/v1/records", discovery.JWSType, []byte(record.Token())), http.StatusServiceUnavailable, identity.Unavailable)
	refused(t, unlucky.get("/v1/services/databaseservice"), http.StatusServiceUnavailable, identity.Unavailable)
	lucky.register(1)
	if got := names(lucky.view("databaseservice")); got != "db-1" {
		t.Errorf("the other network lists %q", got)
	}
	if got := panicsAt(t, metrics, "committer"); got != 1 {
		t.Errorf("%v panics are counted, want 1", got)
	}
}
