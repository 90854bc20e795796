package registry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// reportEvery is how often the authority hears of the newest head.
const reportEvery = 30 * time.Second

// ReportHeads tells the authority of each network the newest head, at once and
// every 30 s, until ctx ends; then it returns nil. So new members learn from
// the authority how far the log is, and the registry what it has signed before.
// An authority that cannot be reached is tried again.
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
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var known *authorityMark
	for {
		mark, err := n.report(ctx, a, known)
		if known = mark; err != nil && ctx.Err() == nil {
			s.logReport(ctx, n, err)
		}
		if _, over := errors.AsType[*catalog.FloorError](err); over {
			return // the catalog has ended; there is nothing to report any more
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// logReport says why a head was not reported, and loudly if this identity has
// two histories.
func (s *Server) logReport(ctx context.Context, n *network, err error) {
	attrs := []slog.Attr{slog.String("network", n.name()), slog.String("reason", err.Error())}
	_, over := errors.AsType[*catalog.FloorError](err)
	if code := identity.CodeOf(err); over || code == identity.Equivocation || code == identity.Rollback {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelError, "another registry, or an older copy of this one, uses this registry identity", attrs...)
		return
	}
	s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "the head could not be reported to the certificate authority", attrs...)
}

// report brings the newest head to the authority, whose mark, if it is known
// already, says from where the log has to go on. It returns the mark after.
func (n *network) report(ctx context.Context, a authority, known *authorityMark) (*authorityMark, error) {
	if n.catalog.Snapshot() == nil {
		return known, nil // not open yet
	}
	if known == nil {
		mark, _, err := n.exchange(ctx, a, struct{}{})
		if err != nil {
			return nil, err
		}
		known = &mark
	}
	for range 2 { // once more where the authority knows of another report
		report, err := n.headReport(n.catalog.Snapshot(), known.Version)
		if err != nil {
			return nil, err
		}
		mark, elsewhere, err := n.exchange(ctx, a, report)
		if err != nil {
			return nil, err
		}
		if known = &mark; !elsewhere {
			return known, nil
		}
	}
	return known, nil
}

// exchange is [authority.post], after which the catalog has judged the mark: a
// mark that its log does not lead to ends it.
func (n *network) exchange(ctx context.Context, a authority, report any) (mark authorityMark, elsewhere bool, err error) {
	mark, elsewhere, err = a.post(ctx, report)
	if err != nil {
		return mark, false, err
	}
	return mark, elsewhere, n.catalog.CheckMark(ctx, identity.RegistryMark{Version: mark.Version, Log: mark.Log})
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
