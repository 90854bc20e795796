package pki

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
)

// An audit writes one log entry, and counts, for each certificate issued and
// each request refused. Tokens, keys and bodies never reach it.
type audit struct {
	log     *slog.Logger
	certs   *prometheus.CounterVec
	refused *prometheus.CounterVec
	tokens  *prometheus.CounterVec
}

func newAudit(log *slog.Logger, metrics prometheus.Registerer) (*audit, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "netget", Subsystem: "ca", Name: name, Help: help}, labels)
	}
	a := &audit{
		log:     log,
		certs:   counter("certificates_issued_total", "Certificates signed.", "network", "issuer", "use"),
		refused: counter("refusals_total", "Requests refused, by error class.", "network", "route", "code"),
		tokens:  counter("tokens_minted_total", "Join tokens made.", "network", "type"),
	}
	if metrics == nil {
		return a, nil
	}
	for _, c := range []prometheus.Collector{a.certs, a.refused, a.tokens} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return a, nil
}

// event notes a change that an administrator made.
func (a *audit) event(ctx context.Context, message string, attrs ...slog.Attr) {
	a.log.LogAttrs(ctx, slog.LevelInfo, message, attrs...) //nolint:sloglint // constant at every call
}

func (a *audit) issued(ctx context.Context, n *network, o order) {
	a.certs.WithLabelValues(n.name(), o.issuer.name, o.row.usage).Inc()
	a.log.LogAttrs(ctx, slog.LevelInfo, "certificate issued",
		slog.String("network", n.name()),
		slog.String("id", o.profile.id.String()),
		slog.String("use", o.row.usage),
		slog.String("issuer", o.issuer.name),
		slog.String("serial", o.row.serial),
		slog.String("not_after", o.row.notAfter.Format(time.RFC3339)))
}

func (a *audit) minted(ctx context.Context, n *network, id identity.NodeID, jti string) {
	a.tokens.WithLabelValues(n.name(), id.Type().String()).Inc()
	a.log.LogAttrs(ctx, slog.LevelInfo, "join token made",
		slog.String("network", n.name()), slog.String("id", id.String()), slog.String("jti", jti))
}

// denied notes a refusal, or a failure of our own when err has no class.
func (a *audit) denied(ctx context.Context, n *network, route, remote string, err error) {
	code, level := identity.CodeOf(err), slog.LevelWarn
	if code == "" {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("network", n.name()), slog.String("route", route), slog.String("remote", remote),
		slog.String("code", string(code)), slog.String("reason", err.Error()),
	}
	if errors.Is(err, errReuse) {
		attrs = append(attrs, slog.String("event", "token-reuse"))
	}
	if code == identity.Equivocation || code == identity.Rollback {
		attrs = append(attrs, slog.String("event", string(code)))
	}
	a.refused.WithLabelValues(n.name(), route, string(code)).Inc()
	a.log.LogAttrs(ctx, level, "request refused", attrs...)
}
