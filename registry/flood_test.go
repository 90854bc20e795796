package registry_test

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// Whatever an identity asks costs it something, and it cannot fill the log.
func TestRequestsWithoutARouteAreBounded(t *testing.T) {
	w := newWorld(t, "production", frozen())
	log := &entries{}
	metrics := prometheus.NewRegistry()
	s := serve(t, func(c *registry.Config) {
		c.ReadRate, c.ReadBurst, c.Metrics = 2, 3, metrics
		c.Logger = slog.New(slog.NewJSONHandler(log, nil))
	}, w)
	nth := 0
	for name, request := range map[string]func(*node) *http.Request{
		"a path without a route":     func(n *node) *http.Request { return n.request(http.MethodGet, "/nonsense", nil) },
		"a method without a route":   func(n *node) *http.Request { return n.request(http.MethodPut, "/v1/head", nil) },
		"a path below the last part": func(n *node) *http.Request { return n.request(http.MethodGet, "/v1/services/a/b/c", nil) },
		"a host that cannot be read": func(n *node) *http.Request {
			req := n.request(http.MethodGet, "/v1/head", nil)
			req.Host = "["
			return req
		},
		"a body too large for all": func(n *node) *http.Request {
			return n.request(http.MethodPut, "/nonsense", make([]byte, 70<<10))
		},
		"a body without a length": func(n *node) *http.Request {
			req := n.request(http.MethodPost, "/nonsense", nil)
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader("a")), -1
			return req
		},
	} {
		t.Run(name, func(t *testing.T) {
			nth++
			n := newNode(t, w, s, "client", "c-"+strconv.Itoa(nth))
			for range 3 {
				if r := n.do(request(n)); r.status == http.StatusTooManyRequests {
					t.Fatal("refused within the budget")
				}
			}
			refused(t, n.do(request(n)), http.StatusTooManyRequests, identity.Busy)
		})
	}
	loud, quiet := newNode(t, w, s, "client", "loud"), newNode(t, w, s, "client", "quiet")
	before := log.count("loud")
	for range 200 {
		loud.get("/nonsense")
	}
	const most = 50
	if got := log.count("loud") - before; got != most {
		t.Errorf("200 refusals made %d log entries, want %d", got, most)
	}
	quiet.get("/nonsense")
	if got := log.count("quiet"); got != 1 {
		t.Errorf("a refusal of another identity made %d log entries, want 1", got)
	}
	if got := counted(t, metrics, "netget_registry_refusals_unlogged_total"); got != 200-most {
		t.Errorf("%v refusals are counted as not logged, want %d", got, 200-most)
	}
}

// counted returns the value of a counter without labels.
func counted(t *testing.T, from *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// entries are the lines of a log.
type entries struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (e *entries) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, string(p))
	return len(p), nil
}

// count returns how many entries contain a text.
func (e *entries) count(text string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, line := range e.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
