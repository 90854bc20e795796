package pki

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/internal/connlimit"
)

// countConnections shows the connections of l.
func countConnections(metrics prometheus.Registerer, l *connlimit.Limiter) error {
	if metrics == nil {
		return nil
	}
	shown := []prometheus.Collector{prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "netget_ca_connections", Help: "Open connections.",
	}, func() float64 { return float64(l.Open()) })}
	for _, reason := range connlimit.Reasons() {
		shown = append(shown, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "netget_ca_connections_refused_total", Help: "Connections that were closed at once, by the limit that they met.",
			ConstLabels: prometheus.Labels{"limit": reason.String()},
		}, func() float64 { return float64(l.Refused(reason)) }))
	}
	for _, c := range shown {
		if err := metrics.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}
