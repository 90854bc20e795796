package registry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/healthwatch"
)

// healthMetrics are the numbers of the health watches, read when asked for.
type healthMetrics struct {
	server   *Server
	nodes    *prometheus.Desc
	disputed *prometheus.Desc
	braked   *prometheus.Desc
	held     *prometheus.Desc
	brakes   *prometheus.Desc
	changes  *prometheus.Desc
	lateness *prometheus.Desc
	probes   *prometheus.Desc
	underWay *prometheus.Desc
	waiting  *prometheus.Desc
	absences *prometheus.Desc
	lost     *prometheus.Desc
}

func newHealthMetrics(s *Server) *healthMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("netget_registry_"+name, help, append([]string{"network"}, labels...), nil)
	}
	return &healthMetrics{
		server:   s,
		nodes:    desc("nodes", "Listed nodes by status.", "status"),
		disputed: desc("nodes_disputed", "Nodes whose heartbeats and probes contradict each other."),
		braked:   desc("brake", "1 while too many nodes would turn down at once, and none does."),
		held:     desc("brake_held_nodes", "Nodes that the brake keeps from turning down."),
		brakes:   desc("brakes_total", "How often the brake took hold."),
		changes:  desc("status_changes_total", "Changes of a node's status, by the new one.", "status"),
		lateness: desc("heartbeat_lateness_seconds", "By how much later after the last than their interval heartbeats came."),
		probes:   desc("probes_total", "Probes of nodes, by what came of them.", "result"),
		underWay: desc("probes_under_way", "Probes under way."),
		waiting:  desc("probes_waiting", "Probes that wait for one to end."),
		absences: desc("absences_total", "How often this process was not there for 5 s or more."),
		lost:     desc("lost_seconds_total", "Time for which this process was stopped or starved, which no node is blamed for."),
	}
}

// Describe names the metrics.
func (m *healthMetrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect reads them.
func (m *healthMetrics) Collect(out chan<- prometheus.Metric) {
	for _, n := range m.server.tenants {
		s, network := n.catalog.Health(), n.domain
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{network}, labels...)...)
		}
		counter := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{network}, labels...)...)
		}
		for status := healthwatch.Up; status <= healthwatch.Down; status++ {
			gauge(m.nodes, float64(s.Nodes[status]), status.String())
			counter(m.changes, float64(s.Changes[status]), status.String())
		}
		gauge(m.disputed, float64(s.Disputed))
		gauge(m.braked, boolean(s.Braked))
		gauge(m.held, float64(s.Held))
		counter(m.brakes, float64(s.Brakes))
		out <- prometheus.MustNewConstHistogram(m.lateness, uint64(s.Beats), s.Lateness.Sum.Seconds(), buckets(s.Lateness), network) //nolint:gosec // it only grows
		counter(m.probes, float64(s.Succeeded), "good")
		counter(m.probes, float64(s.Failed), "bad")
		counter(m.probes, float64(s.Refused), "refused")
		counter(m.probes, float64(s.OwnFaults), "own-fault")
		counter(m.probes, float64(s.Panics), "panic")
		gauge(m.underWay, float64(s.Probing))
		gauge(m.waiting, float64(s.Queued))
		counter(m.absences, float64(s.Absences))
		counter(m.lost, s.Lost.Seconds())
	}
}

// buckets returns a lateness as Prometheus counts: each bucket with those below.
func buckets(l healthwatch.Lateness) map[float64]uint64 {
	all, sum := map[float64]uint64{}, uint64(0)
	for i, bound := range healthwatch.LatenessBounds() {
		sum += uint64(l.UpTo[i]) //nolint:gosec // it only grows
		all[bound.Seconds()] = sum
	}
	return all
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
