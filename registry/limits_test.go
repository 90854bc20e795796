package registry_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// frozen returns a clock that stands still.
func frozen() func() time.Time {
	at := time.Now()
	return func() time.Time { return at }
}

func TestEachIdentityHasItsBudget(t *testing.T) {
	w := newWorld(t, "production", frozen())
	s := serve(t, func(c *registry.Config) { c.ReadRate, c.ReadBurst = 2, 3 }, w)
	greedy, other := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	record, chain := greedy.register(1)
	token, _ := chain.Token(1)
	for name, row := range map[string]struct {
		free       int // calls, of which none is left after
		retryAfter string
		call       func(n *node) reply
	}{
		"records": {9, "1", func(n *node) reply { return n.post("/v1/records", discovery.JWSType, []byte("a.b.c")) }},
		"heartbeats": {2, "8", func(n *node) reply {
			return n.post("/v1/heartbeats", "application/json", []byte(beatBody(record.RID(), 1, token)))
		}},
		"reads": {3, "1", func(n *node) reply { return n.get("/v1/head") }},
	} {
		t.Run(name, func(t *testing.T) {
			for range row.free {
				if r := row.call(greedy); r.status == http.StatusTooManyRequests {
					t.Fatal("refused within the budget")
				}
			}
			r := row.call(greedy)
			refused(t, r, http.StatusTooManyRequests, identity.Busy)
			if got := r.header.Get("Retry-After"); got != row.retryAfter {
				t.Errorf("Retry-After is %q, want %q", got, row.retryAfter)
			}
			if r := row.call(other); r.status == http.StatusTooManyRequests {
				t.Error("another identity pays for it")
			}
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, func(c *registry.Config) { c.ConnectionsPerAddress = 2 }, w)
	first, second := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	want(t, first.get("/v1/head"), http.StatusOK)
	want(t, second.get("/v1/head"), http.StatusOK)
	third := newNode(t, w, s, "databaseservice", "db-3")
	if res, err := third.http.Do(third.request(http.MethodGet, "/v1/head", nil)); err == nil {
		t.Fatalf("a third connection from one address got status %d", read(t, res).status)
	}
	want(t, first.get("/v1/head"), http.StatusOK)
	first.http.CloseIdleConnections()
	for range 100 { // until the server has seen it
		if res, err := third.http.Do(third.request(http.MethodGet, "/v1/head", nil)); err == nil {
			want(t, read(t, res), http.StatusOK)
			return
		}
	}
	t.Error("the place of a connection that ended was not given to another")
}
