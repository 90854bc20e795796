package pki_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// forged is a request to enrol whose token has a signature of nobody's.
func (w *world) forged(t *testing.T) enrolment {
	t.Helper()
	token := w.token(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "n1"}).Token
	return enrolment{Token: token[:len(token)-8] + "AAAAAAAA", CSR: plainCSR(t)}
}

// Forged tokens that come at once are judged no more often than those that come
// one after another: nobody waits for the first refusal.
func TestRefusalsAtOnceAreBounded(t *testing.T) {
	const uploads, burst = 120, 20
	synctest.Test(t, func(t *testing.T) { // a body has 5 s, which they all must be sent in
		w, l := pipeWorld(t, func(c *pki.Config) { *c = pki.WithoutRefill(pki.WithLimits(*c, 2*uploads, burst, 0)) })
		text, err := json.Marshal(w.forged(t))
		if err != nil {
			t.Fatal(err)
		}
		conns := make([]net.Conn, uploads)
		for i := range conns { // all but the last byte
			conns[i] = connectPipe(t, l)
			fmt.Fprintf(conns[i], "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(text), text[:len(text)-1])
		}
		synctest.Wait()
		for _, c := range conns {
			_, _ = c.Write(text[len(text)-1:]) // it may be answered already
		}
		got := map[int]int{}
		for _, c := range conns {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			got[res.StatusCode]++
		}
		if got[http.StatusUnauthorized] != burst || got[http.StatusTooManyRequests] != uploads-burst {
			t.Errorf("of %d at once: %v, want %d judged and all others refused unjudged", uploads, got, burst)
		}
		time.Sleep(10 * time.Second) // the connections end
	})
}

// connectPipe makes a connection in memory, in the time of a bubble.
func connectPipe(t *testing.T, l *testpipe.Listener) *tls.Conn {
	t.Helper()
	c := tls.Client(l.Dial(), &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) //nolint:forbidigo // anybody may be a caller
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// What is not refused takes nothing of what an address may be refused.
func TestGoodRequestsTakeNoRefusals(t *testing.T) {
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) {
		*c = pki.WithLimits(*c, 64, 1, 0)
	})
	c := w.caller(t, "development")
	for range 50 {
		if got := c.do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	wantRefusal(t, c.do(t, "POST", "/v1/enroll", w.forged(t)), http.StatusUnauthorized, identity.BadSignature)
}

// What was taken comes back at its rate, up to the burst; what is given back
// comes at once.
func TestBudgetsFillAtTheirRate(t *testing.T) {
	const each, burst = 10, 3
	began := time.Now()
	b := pki.NewBucket(each, burst, began)
	for _, row := range []struct {
		after time.Duration
		want  int // that can be taken then
	}{{0, burst}, {0, 0}, {99 * time.Millisecond, 0}, {101 * time.Millisecond, 1}, {250 * time.Millisecond, 1}, {310 * time.Millisecond, 1}, {time.Hour, burst}} {
		taken := 0
		for b.Take(began.Add(row.after)) {
			taken++
		}
		if taken != row.want {
			t.Errorf("after %s: %d, want %d", row.after, taken, row.want)
		}
	}
	b.Give()
	if at := began.Add(time.Hour); !b.Take(at) || b.Take(at) {
		t.Error("what was given back is not just one")
	}
}

// Callers without certificate ask so often and no more, each for its address.
// Members and load balancers are known.
func TestRequestsOfStrangersAreBounded(t *testing.T) {
	const requests, burst = 800, 500
	l := &claimingListener{Listener: listen(t), claim: func(i int) string {
		return []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1", "10.0.0.7:1"}[min(i, 4)]
	}}
	w := serveOn(t, initDir(t, "development"), newClock(), l, func(c *pki.Config) {
		*c = pki.WithoutRefill(*c)
		c.Connections = connlimit.Limits{LoadBalancers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	})
	member := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"}) // from the first address
	ask := func(c *caller, times int) (got map[int]int, last reply) {
		got = map[int]int{}
		for range times {
			last = c.do(t, "GET", "/v1/bundle", nil)
			got[last.status]++
		}
		return got, last
	}
	got, last := ask(w.caller(t, "development"), requests)
	if answered := burst - 1; got[200] != answered || got[429] != requests-answered { // it has enrolled
		t.Errorf("of %d requests: %v, want %d answered", requests, got, answered)
	}
	wantRefusal(t, last, http.StatusTooManyRequests, identity.Busy)
	if last.header.Get("Retry-After") == "" {
		t.Error("a busy answer does not say when to come back")
	}
	for _, who := range []struct {
		name string
		c    *caller
	}{
		{"a member at the same address", w.caller(t, "development", member.tls())},
		{"another address", w.caller(t, "development")},
	} {
		if got, _ := ask(who.c, 100); got[200] != 100 {
			t.Errorf("%s: %v", who.name, got)
		}
	}
	if got, _ := ask(w.caller(t, "development"), requests); got[200] != requests {
		t.Errorf("through a load balancer: %v", got)
	}
}

// Two hundred machines behind one address enrol one after another as fast as the
// connections of an address allow, each with
// the two requests that this takes.
func TestManyNodesBehindOneAddressEnrol(t *testing.T) {
	const nodes, atOnce = 200, 25
	w := newWorld(t, "development")
	root := "/1.0/root/" + w.Networks()[0].RootSHA256
	work := make(chan int)
	var enrolling sync.WaitGroup
	for range atOnce {
		enrolling.Go(func() {
			for i := range work {
				token, err := w.Token(t.Context(), pki.TokenRequest{Service: "billing", Node: fmt.Sprintf("n%d", i)})
				if err != nil {
					t.Error(err)
					continue
				}
				for _, call := range []struct {
					method, path string
					body         any
					want         int
				}{
					{"GET", root, nil, http.StatusOK},
					{"POST", "/v1/enroll", enrolment{Token: token.Token, CSR: plainCSR(t)}, http.StatusCreated},
				} {
					c := w.caller(t, "development")
					got, err := c.try(t.Context(), call.method, call.path, call.body)
					c.client.CloseIdleConnections()
					if err != nil || got.status != call.want {
						t.Errorf("node %d, %s: %d %v, want %d", i, call.path, got.status, err, call.want)
					}
				}
			}
		})
	}
	for i := range nodes {
		work <- i
	}
	close(work)
	enrolling.Wait()
	if t.Failed() {
		t.Logf("%s", w.log)
	}
}
