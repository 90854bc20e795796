package registry_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A mark that the log does not lead to was made by another registry, or before
// the store was set back: whatever is signed now would be a second history.
func TestAMarkOfAnotherHistoryEndsTheNetwork(t *testing.T) {
	for name, mark := range map[string]identity.RegistryMark{
		"above": {Version: 100, Log: identity.Hash{1}},
		"below": {Version: 1, Log: identity.Hash{1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClosedWorld(t, "production", time.Now, memstore.New())
			if err := w.catalog.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- w.catalog.Run(ctx) }()
			a := newFakeAuthority(t, w)
			log := &entries{}
			s := serve(t, func(c *registry.Config) { c.Logger = slog.New(slog.NewJSONHandler(log, nil)) }, w)
			n := newNode(t, w, s, "databaseservice", "db-1")
			n.register(1) // the authority could not be asked before
			version := w.catalog.Snapshot().Head().Version
			a.mu.Lock()
			a.mark = &mark
			a.mu.Unlock()
			if err := s.ReportHeads(ctx); err != nil {
				t.Fatal(err)
			}
			a.hears(t, "asked")
			if _, ok := errors.AsType[*catalog.FloorError](<-ended); !ok {
				t.Error("the catalog did not end with a FloorError")
			}
			other := newNode(t, w, s, "databaseservice", "db-2")
			record, _ := other.record(1)
			refused(t, other.post("/v1/records", discovery.JWSType, []byte(record.Token())), http.StatusServiceUnavailable, identity.Unavailable)
			refused(t, n.get("/v1/services/databaseservice"), http.StatusServiceUnavailable, identity.Unavailable)
			if got := w.catalog.Snapshot().Head().Version; got != version {
				t.Errorf("version %d was signed after version %d", got, version)
			}
			if log.count(`"level":"ERROR"`) != 1 || log.count("uses this registry identity") != 1 {
				t.Error("the log does not say once that the identity is used elsewhere")
			}
		})
	}
}

func TestRefusedReportsAreLoggedByTheirClass(t *testing.T) {
	for class, level := range map[identity.Code]string{
		identity.Equivocation: "ERROR", identity.Rollback: "ERROR", identity.Denied: "WARN", identity.Unavailable: "WARN",
	} {
		t.Run(string(class), func(t *testing.T) {
			w := newWorld(t, "production", time.Now)
			a := newFakeAuthority(t, w)
			a.mu.Lock()
			a.class = class
			a.mu.Unlock()
			logged := newSignal()
			s := serve(t, func(c *registry.Config) { c.Logger = slog.New(slog.NewJSONHandler(logged, nil)) }, w)
			background(t, s.ReportHeads)
			a.hears(t, "asked", "taken")
			if got := logged.next(t); !strings.Contains(got, `"level":"`+level+`"`) {
				t.Errorf("want an entry of level %s: %s", level, got)
			}
		})
	}
}

// A signal is a log that can be waited for.
type signal chan string

func newSignal() signal { return make(signal, 16) }

func (s signal) Write(p []byte) (int, error) {
	s <- string(p)
	return len(p), nil
}

// next returns the next entry.
func (s signal) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-s:
		return line
	case <-time.After(time.Minute):
		t.Fatal("nothing was logged")
		return ""
	}
}
