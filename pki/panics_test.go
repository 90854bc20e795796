package pki_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/pki"
)

// panicsAt returns how many panics were caught at a place.
func panicsAt(t *testing.T, from *prometheus.Registry, where string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "netget_ca_panics_total" && m.GetLabel()[0].GetValue() == where {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("panics at the %s are not counted", where)
	return 0
}

// A bug that the clock brings to light costs the connection on which it did.
func TestPanicsAreCaughtAndCounted(t *testing.T) {
	var armed atomic.Bool
	metrics, clock := prometheus.NewRegistry(), newClock()
	w := serveWorld(t, initDir(t, "development"), clock, func(c *pki.Config) {
		c.Metrics = metrics
		c.Now = func() time.Time {
			if armed.Load() {
				panic("a planted bug")
			}
			return clock.Now()
		}
	})
	node := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	member := w.caller(t, "development", node.tls())
	if got := member.do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	armed.Store(true)
	for name, client := range map[string]*http.Client{"handler": member.client, "handshake": w.caller(t, "development").client} {
		if resp, err := client.Get(member.url + "/v1/bundle"); err == nil {
			resp.Body.Close()
			t.Errorf("a panic of the %s got %s", name, resp.Status)
		}
	}
	armed.Store(false)
	for _, name := range []string{"handler", "handshake"} {
		if got := panicsAt(t, metrics, name); got < 1 || got > 2 { // net/http asks twice on a connection that was open
			t.Errorf("%v panics of the %s are counted", got, name)
		}
	}
	if got := w.caller(t, "development").do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
		t.Errorf("after that: %d %s", got.status, got.body)
	}
}
