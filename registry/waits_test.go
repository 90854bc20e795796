package registry_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// Four requests of an identity may wait for events; it may ask all the same.
func TestRequestsThatWaitForEventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		servePipe(t, w, l)
		operator := w.ca.Issue(w.ca.ID("operator", "olga"))
		var waiting sync.WaitGroup
		for range 4 {
			c := over(t, w, l.dial(), operator)
			waiting.Go(func() {
				if _, got := events(t, c, "", "wait=20"); got.status != http.StatusOK {
					t.Errorf("one of four that wait: %d", got.status)
				}
			})
		}
		synctest.Wait()
		_, got := events(t, over(t, w, l.dial(), operator), "", "wait=20")
		refused(t, got, http.StatusTooManyRequests, identity.Busy)
		if _, got := events(t, over(t, w, l.dial(), operator), "", ""); got.status != http.StatusOK {
			t.Errorf("one that does not wait: %d", got.status)
		}
		waiting.Wait()
	})
}

// healthWorld makes a network whose nodes are probed.
func healthWorld(t *testing.T, err error) *world {
	t.Helper()
	w := newClosedWorld(t, "production", time.Now, memstore.New())
	var failed error
	w.catalog, failed = catalog.New(catalog.Config{
		Source: w.source, Store: memstore.New(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Health: &healthwatch.Config{Probe: func(context.Context, probe.Target) error { return err }},
	})
	if failed != nil {
		t.Fatal(failed)
	}
	w.open(t)
	return w
}

// What the registry will not do stands in the receipts of heartbeats too.
func TestReceiptsOfHeartbeatsHaveNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := healthWorld(t, &probe.RefusedError{Reason: "it is elsewhere"}), newPipeListener()
		n := newNode(t, w, servePipe(t, w, l), "billing", "b-1")
		s, chain := n.register(1, func(r *identity.Record) { r.Check = identity.Check{Interval: 2, Type: identity.CheckTCP} })
		time.Sleep(15 * time.Second)
		token, _ := chain.Token(1)
		body := strings.TrimSuffix(beatBody(s.RID(), 1, token), "}") + `,"receipt":true}`
		var reply struct{ Receipt discovery.Receipt }
		if err := json.Unmarshal(want(t, n.post("/v1/heartbeats", "application/json", []byte(body)), http.StatusOK).body, &reply); err != nil {
			t.Fatal(err)
		}
		if got := reply.Receipt.Notes; len(got) != 1 || got[0] != "not probed: it is elsewhere" {
			t.Errorf("notes %q", got)
		}
	})
}

// The numbers of the health watch, of six nodes that fell silent together.
func TestHealthMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := healthWorld(t, nil), newPipeListener()
		metrics := prometheus.NewRegistry()
		served := servePipe(t, w, l, func(c *registry.Config) { c.Metrics = metrics })
		n := newNode(t, w, served, "billing", "b-0")
		s, chain := n.register(1)
		for k, after := range []time.Duration{15 * time.Second, 18 * time.Second} { // the second comes 3 s late
			time.Sleep(after)
			token, _ := chain.Token(int64(k + 1))
			want(t, n.post("/v1/heartbeats", "application/json", []byte(beatBody(s.RID(), int64(k+1), token))), http.StatusOK)
		}
		for i := range 5 {
			registerDirectly(t, w, w.ca.ID("billing", "b-"+strconv.Itoa(i+1)))
		}
		time.Sleep(50 * time.Second)
		page := httptest.NewRecorder()
		promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", nil))
		for _, line := range []string{
			`nodes{network="production.netget.internal",status="suspect"} 6`, `brake{network="production.netget.internal"} 1`,
			`brake_held_nodes{network="production.netget.internal"} 6`, `brakes_total{network="production.netget.internal"} 1`,
			`status_changes_total{network="production.netget.internal",status="suspect"} 6`,
			`status_changes_total{network="production.netget.internal",status="down"} 0`,
			`heartbeat_lateness_seconds_bucket{network="production.netget.internal",le="2"} 1`,
			`heartbeat_lateness_seconds_bucket{network="production.netget.internal",le="5"} 2`,
			`heartbeat_lateness_seconds_bucket{network="production.netget.internal",le="60"} 2`,
			`heartbeat_lateness_seconds_count{network="production.netget.internal"} 2`,
		} {
			if !strings.Contains(page.Body.String(), "\nnetget_registry_"+line+"\n") {
				t.Errorf("/metrics lacks %s", line)
			}
		}
	})
}
