package directory

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/registry/catalog"
)

// A diary is the audit log of a registry with what the registry notes of
// itself.
type diary struct {
	file *audit.Log   // nil: none
	log  *slog.Logger // the file and the ordinary log
	now  func() time.Time
}

func openDiary(cfg ServerConfig) (*diary, error) {
	if cfg.Audit == "" {
		return &diary{log: cfg.Logger, now: cfg.Now}, nil
	}
	file, err := audit.Open(audit.Config{Path: cfg.Audit, Logger: cfg.Logger})
	if err != nil {
		return nil, cli.Hint(cli.Fail(cli.ExitFailure, "opening the audit log: %w", err), "choose another file with --audit, or --audit off for none")
	}
	return &diary{file: file, log: file.With(cfg.Logger), now: cfg.Now}, nil
}

// run writes the file until ctx ends.
func (d *diary) run(ctx context.Context) {
	if d.file != nil {
		_ = d.file.Run(ctx) // always nil
	}
}

func (d *diary) close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// lost is the metric of entries that could not be written.
func (d *diary) lost() prometheus.Collector {
	opts := prometheus.CounterOpts{Name: "netget_registry_audit_lost_total", Help: "Audit entries that could not be written to the file."}
	return prometheus.NewCounterFunc(opts, func() float64 {
		if d.file == nil {
			return 0
		}
		return float64(d.file.Lost())
	})
}

// entry begins an entry of a network's registry about itself.
func (d *diary) entry(event audit.Event, n *network) audit.Entry {
	i := n.source.Identity()
	e := audit.Entry{
		Time: d.now(), Event: event, Network: i.Document.Network, Actor: i.ID().String(), Node: i.ID().String(),
	}
	if snap := n.catalog.Snapshot(); snap != nil {
		e.Version = snap.Head().Version
	}
	return e
}

func (d *diary) started(ctx context.Context, networks []*network) {
	for _, n := range networks {
		e := d.entry(audit.Started, n)
		e.Reason = cli.ReadVersion("netget-registry").String()
		e.Write(ctx, d.log)
	}
}

func (d *diary) stopped(ctx context.Context, networks []*network) {
	for _, n := range networks {
		if n.catalog.Snapshot() != nil { // else it never started
			d.entry(audit.Stopped, n).Write(ctx, d.log)
		}
	}
}

// ended notes why a network is not served any more, or at all.
func (d *diary) ended(ctx context.Context, n *network, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	e := d.entry(audit.NetworkEnded, n)
	if _, ok := errors.AsType[*catalog.FloorError](err); ok {
		e.Event = audit.HeadConflict
	}
	e.Code, e.Reason = identity.CodeOf(err), audit.Reason(err)
	e.WriteAt(ctx, d.log, slog.LevelDebug) // the catalog, or the end of the program, says it aloud
}

// watch notes what becomes of the registry's identity until ctx ends; then it
// returns nil.
func (d *diary) watch(ctx context.Context, n *network) error {
	known := n.source.Identity()
	for {
		changed := n.source.Changed()
		next := n.source.Identity()
		d.compare(ctx, n, known, next)
		known = next
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// compare notes in what two identities of a registry differ.
func (d *diary) compare(ctx context.Context, n *network, old, next *identity.Identity) {
	for use, pair := range map[string][2]*identity.Credential{"TLS": {old.Credential, next.Credential}, "signing": {old.Signing, next.Signing}} {
		if pair[0].Thumbprint() == pair[1].Thumbprint() {
			continue
		}
		e, leaf := d.entry(audit.Renewed, n), pair[1].Leaf()
		e.Serial, e.Reason = leaf.SerialNumber.Text(16), "the "+use+" certificate is valid until "+leaf.NotAfter.UTC().Format(time.RFC3339)
		e.Write(ctx, d.log)
	}
	if old.Bundle == next.Bundle {
		return
	}
	d.compareLists(ctx, n, old.Bundle, next.Bundle)
	if string(old.Bundle.PEM()) != string(next.Bundle.PEM()) {
		e := d.entry(audit.BundleChanged, n)
		if hash, err := next.Bundle.CRLHash(); err == nil {
			e.Reason = "the hash of the revocation lists is " + hash.String()
		}
		e.Write(ctx, d.log)
	}
}

// compareLists notes a revocation list that is older than the one before.
func (d *diary) compareLists(ctx context.Context, n *network, old, next *identity.Bundle) {
	numbers := map[identity.Hash]*identity.CRL{}
	for _, list := range old.CRLs() {
		numbers[list.Issuer()] = list
	}
	for _, list := range next.CRLs() {
		before := numbers[list.Issuer()]
		if before == nil || list.Number().Cmp(before.Number()) >= 0 {
			continue
		}
		e := d.entry(audit.CRLRollback, n)
		e.Reason = "the revocation list of the issuer " + list.Issuer().String() + " went back from number " + before.Number().String() + " to " + list.Number().String()
		e.Write(ctx, d.log)
	}
}
