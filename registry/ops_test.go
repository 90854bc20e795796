package registry_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// plain gets a page of an operations port.
func plain(t *testing.T, addr, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestReadinessAndMetrics(t *testing.T) {
	w := newClosedWorld(t, "production", time.Now, memstore.New())
	metrics := prometheus.NewRegistry()
	s, err := registry.New(registry.Config{Networks: []registry.Network{{Source: w.source, Catalog: w.catalog}}, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	pages := http.NewServeMux()
	pages.Handle("/readyz", s.Ready())
	pages.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	ops := httptest.NewServer(pages)
	t.Cleanup(ops.Close)
	addr, api := ops.Listener.Addr().String(), listen(t)
	if status, body := plain(t, addr, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz before the catalog is open: %d %s", status, body)
	}
	w.open(t)
	stop := background(t, func(ctx context.Context) error { return s.Serve(ctx, api) })
	n := newNode(t, w, &served{s, api.Addr().String(), dialTo(api.Addr().String()), stop}, "databaseservice", "db-1")
	n.register(1)
	if status, body := plain(t, addr, "/readyz"); status != http.StatusOK || !strings.Contains(body, `"version":2`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	_, page := plain(t, addr, "/metrics")
	for _, line := range []string{
		`netget_registry_requests_total{route="/v1/records",status="201"} 1`,
		`netget_registry_request_seconds_count{route="/v1/records"} 1`,
		`netget_registry_records{network="production.netget.internal"} 1`,
		`netget_registry_registered_total{network="production.netget.internal"} 1`,
		`netget_registry_connections 1`,
		`netget_registry_certificate_expiry_timestamp_seconds{network="production.netget.internal",use="signing"}`,
		`netget_registry_head_age_seconds{network="production.netget.internal"}`,
	} {
		if !strings.Contains(page, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	stop()
	if status, _ := plain(t, addr, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz after it has stopped: %d", status)
	}
}
