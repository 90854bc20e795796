package pki

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
)

// An audit writes one log entry, and counts, for each certificate issued and
// each request refused. Tokens, keys and bodies never reach it.
type audit struct {
	log     *slog.Logger
	certs   *prometheus.CounterVec
	refused *prometheus.CounterVec
	tokens  *prometheus.CounterVec

	plain, events *budget // of the log, so that the many do not hide the few
}

// A budget bounds how many entries of one kind are written.
type budget struct {
	limiter *rate.Limiter
	left    atomic.Int64 // entries left out since the last one
}

func newBudget(most limits) *budget {
	return &budget{limiter: rate.NewLimiter(most.logged, most.loggedAtBurst)}
}

// spend reports whether an entry may be written, and how many were left out
// before it.
func (b *budget) spend() (leftOut int64, ok bool) {
	if !b.limiter.Allow() {
		b.left.Add(1)
		return 0, false
	}
	return b.left.Swap(0), true
}

func newAudit(log *slog.Logger, metrics prometheus.Registerer, most limits) (*audit, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "netget", Subsystem: "ca", Name: name, Help: help}, labels)
	}
	a := &audit{
		log:     log,
		certs:   counter("certificates_issued_total", "Certificates signed.", "network", "issuer", "use"),
		refused: counter("refusals_total", "Requests refused, by error class.", "network", "route", "code"),
		tokens:  counter("tokens_minted_total", "Join tokens made.", "network", "type"),
		plain:   newBudget(most),
		events:  newBudget(most),
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

// count counts a refusal.
func (a *audit) count(n *network, route string, code identity.Code) {
	a.refused.WithLabelValues(n.name(), route, string(code)).Inc()
}

// denied notes a refusal, or a failure of our own when err has no class. Each
// is counted; of very many a second some are left out of the log, and the next
// entry says how many.
func (a *audit) denied(ctx context.Context, n *network, route, remote string, err error) {
	code, level := identity.CodeOf(err), slog.LevelWarn
	if code == "" {
		level = slog.LevelError
	}
	a.count(n, route, code)
	event, log := eventOf(err), a.plain
	if event != "" {
		log = a.events
	}
	leftOut, ok := log.spend()
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("network", n.name()), slog.String("route", route), slog.String("remote", remote),
		slog.String("code", string(code)), slog.String("reason", err.Error()),
	}
	if event != "" {
		attrs = append(attrs, slog.String("event", event))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	a.log.LogAttrs(ctx, level, "request refused", attrs...)
}

// eventOf names what an operator should look at; "" for a usual refusal.
func eventOf(err error) string {
	code := identity.CodeOf(err)
	switch {
	case errors.Is(err, errReuse):
		return "token-reuse"
	case code == identity.Equivocation || code == identity.Rollback:
		return string(code)
	}
	return ""
}
