package registry_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

func TestWithoutItsStoreTheRegistryStillAnswers(t *testing.T) {
	store := memstore.New()
	w := newWorldOn(t, "production", time.Now, store)
	s := serve(t, nil, w)
	first, second := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	first.register(1)
	store.SetFault(func(memstore.Op, bool) error { return database.ErrUnavailable })
	record, _ := second.record(1)
	r := second.post("/v1/records", discovery.JWSType, []byte(record.Token()))
	refused(t, r, http.StatusServiceUnavailable, identity.Unavailable)
	if p := r.problem(t); p.RetryAfter == 0 || p.Head == "" || len(p.Registry) != 2 {
		t.Errorf("a refusal without Retry-After or the newest head: %+v", p)
	}
	if v := second.view("databaseservice"); names(v) != "db-1" {
		t.Errorf("got %q", names(v))
	}
	store.SetFault(nil)
	deadline := time.Now().Add(30 * time.Second)
	for r.status == http.StatusServiceUnavailable && time.Now().Before(deadline) {
		r = second.post("/v1/records", discovery.JWSType, []byte(record.Token()))
	}
	if r.status != http.StatusCreated {
		t.Errorf("when the store is back: got %d %s", r.status, r.body)
	}
}
