package registry_test

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
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

// What is refused takes nothing from the budget, also when many ask at once.
func TestRefusedCallsAreNotOwed(t *testing.T) {
	const burst = 10
	l, now := rate.NewLimiter(1, burst), time.Now()
	var asking sync.WaitGroup
	var served, owing atomic.Int64
	for range 32 {
		asking.Go(func() {
			for range 10_000 {
				err := registry.Spend(l, now)
				if err == nil {
					served.Add(1)
				} else if err.Error() != "too many requests; free again in 1s" {
					owing.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if got := served.Load(); got != burst {
		t.Errorf("%d were served, want %d", got, burst)
	}
	if got := owing.Load(); got != 0 {
		t.Errorf("%d were told to wait for something else than one turn", got)
	}
	if err := registry.Spend(l, now.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, func(c *registry.Config) { c.Connections.PerAddress = 2 }, w)
	first, second := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	want(t, first.get("/v1/head"), http.StatusOK)
	want(t, second.get("/v1/head"), http.StatusOK)
	third := newNode(t, w, s, "databaseservice", "db-3")
	if res, err := third.http.Do(third.request(http.MethodGet, "/v1/head", nil)); err == nil {
		t.Fatalf("a third connection from one address got status %d", read(t, res).status)
	}
	want(t, first.get("/v1/head"), http.StatusOK)
	first.http.CloseIdleConnections()
	waitFor(t, "the place of a connection that ended is given to another", func() bool { // when the server has seen it
		res, err := third.http.Do(third.request(http.MethodGet, "/v1/head", nil))
		if err != nil {
			return false
		}
		want(t, read(t, res), http.StatusOK)
		return true
	})
}

// Who has one IPv6 network has all its addresses.
func TestAddressesOfOneSiteAreBoundedTogether(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	l := newPipeListener()
	servePipe(t, w, l, func(c *registry.Config) { c.Connections.PerAddress = 1 })
	cred := w.ca.Issue(w.ca.ID("client", "laptop"))
	for _, row := range []struct {
		from     string
		admitted bool
	}{
		{"[2001:db8::1]:1000", true},
		{"[2001:db8::1]:1001", false},
		{"[2001:db8::ffff:0:0:2]:1000", false},
		{"[2001:db8::3%eth0]:1000", false},
		{"[2001:db8:0:1::1]:1000", true},
		{"192.0.2.1:1000", true},
		{"[::ffff:192.0.2.1]:1000", false}, // the same
		{"192.0.2.2:1000", true},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry/v1/head", nil)
		if err != nil {
			t.Fatal(err)
		}
		addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(row.from))
		res, err := over(t, w, l.dialFrom(addr), cred).Do(req)
		if err == nil {
			want(t, read(t, res), http.StatusOK)
		}
		if admitted := err == nil; admitted != row.admitted {
			t.Errorf("%s: admitted is %t (%v), want %t", row.from, admitted, err, row.admitted)
		}
	}
}

// enters reports whether a connection from host:port gets an answer.
func enters(t *testing.T, w *world, l *pipeListener, from string) bool {
	t.Helper()
	addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	client := over(t, w, l.dialFrom(addr), w.ca.Issue(w.ca.ID("client", "laptop")))
	defer client.CloseIdleConnections()
	res, err := ask(t, client, "/openapi.yaml")
	if err == nil {
		want(t, read(t, res), http.StatusOK)
	}
	return err == nil
}

// An address pays for its handshakes, also where none stays open.
func TestHandshakesOfOneAddressAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) {
			c.Metrics = metrics
			c.Connections = connlimit.Limits{Rate: 1, Burst: 3, LoadBalancers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
		})
		times := func(from string, n int) (in int) {
			for range n {
				if enters(t, w, l, from) {
					in++
				}
			}
			return in
		}
		if got := times("192.0.2.1:1", 6); got != 3 {
			t.Errorf("%d of 6 were let in, want 3", got)
		}
		if got := times("192.0.2.2:1", 3); got != 3 {
			t.Errorf("%d of 3 of another address were let in", got)
		}
		if got := times("10.0.0.7:1", 6); got != 6 {
			t.Errorf("%d of 6 of a load balancer were let in", got)
		}
		time.Sleep(2 * time.Second)
		if got := times("192.0.2.1:1", 6); got != 2 {
			t.Errorf("%d of 6 were let in 2 s later, want 2", got)
		}
		if got := labelled(t, metrics, "netget_registry_connections_refused_total", "rate"); got != 3+4 {
			t.Errorf("%v connections are counted as refused, want %d", got, 3+4)
		}
	})
}

// By default, as many clients behind one address as it may have come back
// together.
func TestClientsBehindOneAddressComeBackTogether(t *testing.T) {
	const clients = 3000
	l := connlimit.New(registry.DefaultConnections())
	for i := range clients {
		if _, ok := l.Enter("192.0.2.1:1", func() {}); !ok {
			t.Fatalf("client %d of %d was not let in", i+1, clients)
		}
	}
}
