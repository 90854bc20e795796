package registry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/registry/catalog"
)

// How often the authority hears of the newest head: soon after it has a new
// version, and every so often if it has none. What it has not heard of yet could
// be undone by an old copy of the store without anybody here noticing.
const (
	reportSoon  = time.Second
	reportEvery = 30 * time.Second
	lastReport  = 2 * time.Second // the time that the one at the end may take
)

// ReportHeads tells the authority of each network the newest head, at once,
// within a second or so of each new version and every 30 s, until ctx ends; then
// a last time where there is a newer one, for at most 2 s, and returns nil. Let
// ctx end after the catalogs. So new members learn from the authority how far the
// log is, and the registry what it has signed before. An authority that cannot be
// reached is tried again.
func (s *Server) ReportHeads(ctx context.Context) error {
	var reporters sync.WaitGroup
	for _, n := range s.tenants {
		reporters.Go(func() { s.reportHeads(ctx, n) })
	}
	reporters.Wait()
	return nil
}

func (s *Server) reportHeads(ctx context.Context, n *network) {
	a := authority{n.source, s.cfg.Now}
	if a.url() == "" {
		return // an identity made without an authority on the network
	}
	r := reporter{network: n, authority: a, check: n.catalog.CheckMark}
	tick := time.NewTicker(reportSoon)
	defer tick.Stop()
	for next := time.Now(); ; {
		if now := time.Now(); !now.Before(next) || r.hasNews() {
			err := s.report(ctx, &r)
			if err != nil && ctx.Err() == nil {
				s.logReport(ctx, n, err)
			}
			if _, over := errors.AsType[*catalog.FloorError](err); over {
				return // the catalog has ended; there is nothing to report any more
			}
			next = now.Add(r.outcome(err))
		}
		select {
		case <-ctx.Done():
			s.reportLast(ctx, r)
			return
		case <-tick.C:
		}
	}
}

// reportLast reports what the catalog has signed since the last report, when it
// has ended and can judge no mark any more.
func (s *Server) reportLast(ctx context.Context, r reporter) {
	r.failures = 0 // it may get through now
	if !r.hasNews() || r.network.catalog.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.lastReport)
	defer cancel()
	r.check = func(context.Context, identity.RegistryMark) error { return nil }
	if err := s.report(ctx, &r); err != nil {
		s.logReport(ctx, r.network, err)
	}
}

// report is [reporter.report]; a panic costs one report.
func (s *Server) report(ctx context.Context, r *reporter) error {
	err := errors.New("a bug ended the report") // unless it returns
	func() {
		defer s.caught(ctx, inReporter)
		err = r.report(ctx)
	}()
	return err
}

// logReport says why a head was not reported, and loudly if this identity has
// two histories.
func (s *Server) logReport(ctx context.Context, n *network, err error) {
	_, over := errors.AsType[*catalog.FloorError](err)
	if code := identity.CodeOf(err); over || code == identity.Equivocation || code == identity.Rollback {
		id := n.source.Identity().ID().String()
		audit.Entry{
			Time: s.cfg.Now(), Event: audit.HeadConflict, Network: n.name(), Actor: id, Node: id, Code: code,
			Reason: "another registry, or an older copy of this one, uses this registry identity: " + audit.Reason(err),
		}.Write(ctx, s.cfg.Audit)
		return
	}
	s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "the head could not be reported to the certificate authority",
		slog.String("network", n.name()), slog.String("reason", err.Error()))
}

// A reporter brings the heads of one network to its authority.
type reporter struct {
	network   *network
	authority authority
	check     func(context.Context, identity.RegistryMark) error // what becomes of a mark

	known    *authorityMark // the authority's, from which the next report goes on; nil: to be asked
	reported int64          // the version of the last report
	failures int            // how many did not get through since
}

// outcome counts what became of a report, and returns when the next is due.
func (r *reporter) outcome(err error) time.Duration {
	if err == nil {
		r.failures = 0
		return reportEvery
	}
	r.failures++
	return min(reportSoon<<min(r.failures, 5), reportEvery)
}

// hasNews reports whether there is a version that the authority can hear of now.
func (r *reporter) hasNews() bool {
	snap := r.network.catalog.Snapshot()
	return snap != nil && snap.Head().Version != r.reported && r.failures == 0
}

// report brings the newest head to the authority, whose mark, if it is known
// already, says from where the log has to go on.
func (r *reporter) report(ctx context.Context) error {
	if r.network.catalog.Snapshot() == nil {
		return nil // not open yet
	}
	if r.known == nil {
		if _, err := r.exchange(ctx, struct{}{}); err != nil {
			return err
		}
	}
	for range 2 { // once more where the authority knows of another report
		snap := r.network.catalog.Snapshot()
		report, err := r.network.headReport(snap, r.known.Version)
		if err != nil {
			r.known = nil
			return err
		}
		elsewhere, err := r.exchange(ctx, report)
		if err != nil {
			return err
		}
		if !elsewhere {
			r.reported = snap.Head().Version
			return nil
		}
	}
	return errors.New("other reports of this identity came between, twice")
}

// exchange is [authority.post], after which the mark is checked: the catalog
// ends over one that its log does not lead to.
func (r *reporter) exchange(ctx context.Context, report any) (elsewhere bool, err error) {
	r.known = nil
	mark, elsewhere, err := r.authority.post(ctx, report)
	if err != nil {
		return false, err
	}
	if err := r.check(ctx, identity.RegistryMark{Version: mark.Version, Log: mark.Log}); err != nil {
		return false, err
	}
	r.known = &mark
	return elsewhere, nil
}

// headReport is what the authority needs to verify the head of snap and to see
// that it goes on from version from.
func (n *network) headReport(snap *catalog.Snapshot, from int64) (headReport, error) {
	seal, err := snap.Seal(from)
	if err != nil {
		return headReport{}, identity.Refuse(identity.Rollback, "the authority knows version %d of this identity's log, ours is %d: %w", from, snap.Head().Version, err)
	}
	bundle, err := n.bundle()
	if err != nil {
		return headReport{}, err
	}
	crls, err := bundle.of.CRLHash()
	return headReport{Seal: seal, CRLs: crls, Bundle: bundle.hash}, err
}
