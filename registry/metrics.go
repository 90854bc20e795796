package registry

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/registry/catalog"
)

// metrics are what the server counts.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	unlogged prometheus.Counter
}

// newMetrics registers what the server counts, and what is read when asked.
func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "netget_registry_requests_total", Help: "Requests by route and HTTP status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "netget_registry_request_seconds", Help: "How long requests took, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
		}, []string{"route"}),
		unlogged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "netget_registry_refusals_unlogged_total", Help: "Refusals without a log entry, because their caller had many.",
		}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.unlogged, newState(s), newHealthMetrics(s)} {
		if err := s.cfg.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

// observe counts a request that was answered.
func (m *metrics) observe(w *countedWriter, took time.Duration) {
	route, status := w.route, w.status
	if route == "" {
		route = "none" // what was asked for is the caller's to choose
	}
	if status == 0 {
		status = http.StatusOK
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// A state reads gauges when they are asked for.
type state struct {
	server      *Server
	connections *prometheus.Desc
	shut        *prometheus.Desc
	unsent      *prometheus.Desc
	cut         *prometheus.Desc
	panics      *prometheus.Desc
	version     *prometheus.Desc
	services    *prometheus.Desc
	records     *prometheus.Desc
	headAge     *prometheus.Desc
	certificate *prometheus.Desc
	catalogs    []catalogCounter
}

// A catalogCounter is one number of a catalog that only grows.
type catalogCounter struct {
	desc *prometheus.Desc
	read func(catalog.Stats) float64
}

func newState(s *Server) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("netget_registry_"+name, help, labels, nil)
	}
	counter := func(name, help string, read func(catalog.Stats) float64) catalogCounter {
		return catalogCounter{desc(name, help, "network"), read}
	}
	return &state{
		catalogs: []catalogCounter{
			counter("registered_total", "Records that became a state.", func(c catalog.Stats) float64 { return float64(c.Registered) }),
			counter("repeated_total", "Statements that were the state already.", func(c catalog.Stats) float64 { return float64(c.Repeated) }),
			counter("refused_total", "Statements that were refused.", func(c catalog.Stats) float64 { return float64(c.Refused) }),
			counter("tombstones_total", "Tombstones that were applied.", func(c catalog.Stats) float64 { return float64(c.Tombstones) }),
			counter("expired_total", "Records that ended by their own signature.", func(c catalog.Stats) float64 { return float64(c.Expired) }),
			counter("revoked_total", "Records whose certificate was revoked.", func(c catalog.Stats) float64 { return float64(c.Revoked) }),
			counter("equivocations_total", "Nodes that signed two statements for one place.", func(c catalog.Stats) float64 { return float64(c.Equivocations) }),
			counter("heartbeats_total", "Heartbeats that were taken.", func(c catalog.Stats) float64 { return float64(c.Beats) }),
			counter("heartbeats_refused_total", "Heartbeats that were refused.", func(c catalog.Stats) float64 { return float64(c.BeatsRefused) }),
			counter("heads_total", "Heads that were signed.", func(c catalog.Stats) float64 { return float64(c.Heads) }),
			counter("store_errors_total", "Calls of the store that failed.", func(c catalog.Stats) float64 { return float64(c.StoreErrors) }),
			counter("commit_seconds_total", "Time spent in the store by all versions.", func(c catalog.Stats) float64 { return c.CommitTime.Seconds() }),
		},
		server:      s,
		connections: desc("connections", "Open connections."),
		shut:        desc("connections_refused_total", "Connections that were closed, by the limit that they met.", "limit"),
		unsent:      desc("unsent_bytes", "Bytes of bodies that are being sent, each body once."),
		cut:         desc("responses_cut_total", "Responses that were ended because too many bytes waited for slow readers."),
		panics:      desc("panics_total", "Bugs that were caught, by where; none should ever be.", "where"),
		version:     desc("version", "Version of the newest head.", "network"),
		services:    desc("services", "Listed services.", "network"),
		records:     desc("records", "Listed records.", "network"),
		headAge:     desc("head_age_seconds", "Time since the head was last signed.", "network"),
		certificate: desc("certificate_expiry_timestamp_seconds", "When a certificate of the registry ends, Unix time.", "network", "use"),
	}
}

// Describe names the gauges.
func (st *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{st.connections, st.shut, st.unsent, st.cut, st.panics, st.version, st.services, st.records, st.headAge, st.certificate} {
		out <- d
	}
	for _, c := range st.catalogs {
		out <- c.desc
	}
}

// Collect reads the gauges.
func (st *state) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(st.connections, float64(st.server.limiter.Open()))
	for _, r := range connlimit.Reasons() {
		counter(st.shut, st.server.limiter.Refused(r), r.String())
	}
	counter(st.shut, st.server.conns.surplus(), "identity")
	bytes, cut := st.server.unsent.numbers()
	gauge(st.unsent, float64(bytes))
	counter(st.cut, cut)
	for where := range panicPlaces {
		counter(st.panics, st.server.panics[where].Load(), where.String())
	}
	var inCommitter, inWriter, inProber int64
	defer func() {
		counter(st.panics, inCommitter, "committer")
		counter(st.panics, inWriter, "writer")
		counter(st.panics, inProber, "prober")
	}()
	for _, n := range st.server.tenants {
		i, name := n.source.Identity(), n.domain
		gauge(st.certificate, float64(i.Credential.Leaf().NotAfter.Unix()), name, "tls")
		gauge(st.certificate, float64(i.Signing.Leaf().NotAfter.Unix()), name, "signing")
		stats := n.catalog.Stats()
		inCommitter, inWriter = inCommitter+stats.CommitterPanics, inWriter+stats.WriterPanics
		inProber += stats.ProberPanics
		gauge(st.version, float64(stats.Version), name)
		gauge(st.services, float64(stats.Services), name)
		gauge(st.records, float64(stats.Records), name)
		gauge(st.headAge, stats.HeadAge.Seconds(), name)
		for _, c := range st.catalogs {
			out <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, c.read(stats), name)
		}
	}
}
