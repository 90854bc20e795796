package registry_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

func TestWithoutItsStoreTheRegistryStillAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		w := newWorldOn(t, "production", time.Now, store)
		s := servePipe(t, w, newPipeListener())
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
		for deadline := time.Now().Add(time.Minute); r.status == http.StatusServiceUnavailable && time.Now().Before(deadline); {
			time.Sleep(r.problem(t).RetryAfter)
			r = second.post("/v1/records", discovery.JWSType, []byte(record.Token()))
		}
		if r.status != http.StatusCreated && r.status != http.StatusOK { // the first may have been in doubt, and done since
			t.Errorf("when the store is back: got %d %s", r.status, r.body)
		}
		if v := second.view("databaseservice"); names(v) != "db-1 db-2" {
			t.Errorf("got %q", names(v))
		}
	})
}
