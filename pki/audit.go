package pki

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	diary "github.com/neurons-me/netget/internal/audit"
)

// An audit writes one log entry, and counts, for each certificate issued and
// each request refused. Tokens, keys and bodies never reach it.
type audit struct {
	log     *slog.Logger
	now     func() time.Time
	certs   *prometheus.CounterVec
	refused *prometheus.CounterVec
	tokens  *prometheus.CounterVec
	panics  *prometheus.CounterVec

	budgets *budgets // of the log, so that the many do not hide the few
}

func newAudit(log *slog.Logger, now func() time.Time, metrics prometheus.Registerer, most limits) (*audit, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "netget", Subsystem: "ca", Name: name, Help: help}, labels)
	}
	a := &audit{
		log:     log,
		now:     now,
		certs:   counter("certificates_issued_total", "Certificates signed.", "network", "issuer", "use"),
		refused: counter("refusals_total", "Requests refused, by error class.", "network", "route", "code"),
		tokens:  counter("tokens_minted_total", "Join tokens made.", "network", "type"),
		panics:  counter("panics_total", "Bugs that were caught, by where; none should ever be.", "where"),
		budgets: newBudgets(most),
	}
	for _, where := range []string{inHandler, inHandshake} {
		a.panics.WithLabelValues(where) // shown as 0
	}
	if metrics == nil {
		return a, nil
	}
	for _, c := range []prometheus.Collector{a.certs, a.refused, a.tokens, a.panics} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return a, nil
}

// event notes a change that an administrator made, in words.
func (a *audit) event(ctx context.Context, n *network, what string) {
	a.write(ctx, n, diary.Entry{Event: diary.Administered, Reason: what})
}

// write adds what all entries have.
func (a *audit) write(ctx context.Context, n *network, e diary.Entry) {
	e.Time, e.Network = a.now(), n.name()
	e.Write(ctx, a.log)
}

func (a *audit) issued(ctx context.Context, n *network, o order) {
	a.certs.WithLabelValues(n.name(), o.issuer.name, o.row.usage).Inc()
	a.write(ctx, n, diary.Entry{
		Event: diary.CertificateIssued, Node: diary.ID(o.profile.id), Serial: o.row.serial,
		Reason: fmt.Sprintf("%s certificate of the %s issuer, valid until %s", o.row.usage, o.issuer.name, o.row.notAfter.UTC().Format(time.RFC3339)),
	})
}

func (a *audit) minted(ctx context.Context, n *network, id identity.NodeID, jti string) {
	a.tokens.WithLabelValues(n.name(), id.Type().String()).Inc()
	a.write(ctx, n, diary.Entry{Event: diary.TokenMade, Node: id.String(), Reason: "jti " + jti})
}

// count counts a refusal.
func (a *audit) count(n *network, route string, code identity.Code) {
	a.refused.WithLabelValues(n.name(), route, string(code)).Inc()
}

// denied notes a refusal, or a failure of our own when err has no class. Each
// is counted; of very many a second some are left out of the log, and the next
// entry of the same budget says how many.
func (a *audit) denied(ctx context.Context, c call, route, remote string, err error) {
	code, event := identity.CodeOf(err), eventOf(err)
	a.count(c.network, route, code)
	leftOut, ok := a.budgets.spend(budgetOf(event, c))
	if !ok {
		return
	}
	e := diary.Entry{
		Time: a.now(), Event: event, Network: c.network.name(), Actor: c.caller(), Remote: remote,
		Code: code, Reason: route + ": " + diary.Reason(err), LeftOut: leftOut,
	}
	level := slog.LevelWarn
	if code == "" {
		level = slog.LevelError
	}
	e.WriteAt(ctx, a.log, level)
}

// eventOf names what an operator should look at, or a usual refusal.
func eventOf(err error) diary.Event {
	code := identity.CodeOf(err)
	switch {
	case errors.Is(err, errReuse):
		return diary.TokenReuse
	case code == identity.Equivocation || code == identity.Rollback:
		return diary.HeadConflict
	}
	return diary.RequestRefused
}
