package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/cmd/internal/healthflags"
	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/store"
)

// headFile keeps, in the identity folder and so outside of the store, the
// newest version that the registry has signed.
const headFile = "head.json"

// A ServerConfig says how to run a registry.
type ServerConfig struct {
	Identities []string // folders, one a network
	Store      string   // URL
	Address    string   // host:port of the API; port 0 takes a free one
	OpsAddress string   // host:port, or "off"
	Dir        string   // where the admin socket is; "" for none
	Audit      string   // file of the audit log; "" for none beside the ordinary log
	Registry   registry.Config
	Health     healthflags.Settings
	// Loopback: nodes on this very machine may be probed, as in development.
	Loopback bool
	OwnPorts []int64 // of this process, beside those above: never probed
	Now      func() time.Time
	Logger   *slog.Logger
}

// A Server is a registry that holds its store and its ports.
type Server struct {
	cfg      ServerConfig
	networks []*network
	api      net.Listener
	ops      *ops.Server
	metrics  *prometheus.Registry
	admin    *admin.Server
	diary    *diary
	db       *database.DB
	registry *registry.Server
}

// network is one network of the registry.
type network struct {
	source  *identity.Source
	catalog *catalog.Catalog
	renewer *enroll.Renewer
}

// Listen loads the identities, opens ports, admin socket and store. Call
// [Server.Run], which closes them.
func Listen(ctx context.Context, cfg ServerConfig) (s *Server, err error) {
	s = &Server{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.loadIdentities(); err != nil {
		return s, err
	}
	if s.api, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Address); err != nil {
		return s, fmt.Errorf("opening the port: %w", err)
	}
	if s.ops, err = ops.Listen(ctx, cfg.OpsAddress); err != nil {
		return s, cli.Hint(err, "choose another port with --ops-address (port 0 takes a free one, 'off' none)")
	}
	if s.diary, err = openDiary(cfg); err != nil {
		return s, err
	}
	if s.db, err = database.Open(ctx, database.Config{URL: cfg.Store, Migrations: migrations.Registry, Logger: cfg.Logger}); err != nil {
		return s, explain(err)
	}
	s.cfg.Store = "" // it may hold a password
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return s, err
		}
		if s.admin, err = admin.Listen(cli.AdminSocket(cfg.Dir)); err != nil {
			return s, err
		}
	}
	return s, s.build()
}

// loadIdentities opens the folders; no two may be of one network.
func (s *Server) loadIdentities() error {
	seen := map[identity.TrustDomain]string{}
	for _, dir := range s.cfg.Identities {
		source, err := identity.NewSource(identity.NewFolder(dir))
		if errors.Is(err, identity.ErrNoIdentity) {
			return cli.Hint(err, "enrol the registry first: 'netget-registry enroll TOKEN', with a token of 'netget-ca token registry NAME'")
		}
		if err != nil {
			return err
		}
		id := source.Identity().ID()
		if id.Type() != identity.RegistryNode {
			return cli.Hint(cli.Usage("%s holds the identity of a %s, %s", dir, id.Type(), id), "enrol a registry with a token of 'netget-ca token registry NAME'")
		}
		if other, dup := seen[id.TrustDomain()]; dup {
			return cli.Usage("%s and %s are both of the network %s", other, dir, id.TrustDomain())
		}
		seen[id.TrustDomain()] = dir
		s.networks = append(s.networks, &network{source: source})
	}
	var names []string
	for _, n := range s.networks {
		names = append(names, n.source.Identity().Document.Network)
	}
	return s.cfg.Health.Check(names)
}

// build puts catalogs and server together.
func (s *Server) build() error {
	cfg := s.cfg.Registry
	s.metrics = ops.NewMetrics()
	cfg.Now, cfg.Logger, cfg.Metrics, cfg.Audit = s.cfg.Now, s.cfg.Logger, s.metrics, s.diary.log
	s.metrics.MustRegister(s.diary.lost())
	for _, n := range s.networks {
		st, err := store.New(s.db, n.source.Identity().Bundle.TrustDomain())
		if err != nil {
			return err
		}
		health := s.cfg.Health.For(n.source.Identity().Document.Network)
		prober := &probe.Prober{
			Source: n.source, Now: s.cfg.Now,
			Policy: probe.Policy{Allow: health.Allow, Loopback: s.cfg.Loopback, OwnPorts: append(ops.Ports(s.Address(), s.Ops()), s.cfg.OwnPorts...)},
		}
		n.catalog, err = catalog.New(catalog.Config{
			Health: &healthwatch.Config{Rules: health.Rules, Brake: health.Brake, Probe: prober.Probe, Forbids: prober.Forbids},
			Source: n.source, Store: st, Now: s.cfg.Now, Logger: s.cfg.Logger, Audit: s.diary.log,
			HeadFile: n.source.Folder().Path(headFile),
			Floors:   registry.AuthorityMarks(n.source, s.cfg.Now),
		})
		if err != nil {
			return err
		}
		n.renewer, err = enroll.NewRenewer(enroll.RenewerConfig{Source: n.source, Now: s.cfg.Now, Logger: s.cfg.Logger})
		if err != nil {
			return err
		}
		cfg.Networks = append(cfg.Networks, registry.Network{Source: n.source, Catalog: n.catalog})
	}
	var err error
	s.registry, err = registry.New(cfg)
	return err
}

// Address returns where the API is, host:port.
func (s *Server) Address() string { return s.api.Addr().String() }

// Ops returns the URL of the operations port, "" when it is off.
func (s *Server) Ops() string { return s.ops.URL() }

// Ready describes the server for its ready line.
func (s *Server) Ready(program string) cli.Ready {
	var names []string
	for _, n := range s.networks {
		names = append(names, n.source.Identity().Document.Network)
	}
	return cli.NewReady(program, s.Address(), s.Ops(), names)
}

// Run verifies what is stored, serves until ctx ends, gives requests at most
// 5 s to finish, closes everything and returns nil. Announce is called once,
// when the registry can be used.
func (s *Server) Run(ctx context.Context, announce func() error) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx)) // all others have ended before
	var writer sync.WaitGroup
	writer.Go(func() { s.diary.run(writing) })
	err := errors.Join(s.run(ctx, announce), s.closeStore())
	stop()
	writer.Wait()
	return err
}

func (s *Server) run(ctx context.Context, announce func() error) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return s.ops.Run(running, s.registry.Ready(), s.metrics) })
	if s.admin != nil {
		g.Go(func() error { return s.admin.Run(running, s.handler()) })
	}
	g.Go(func() error {
		for _, n := range s.networks {
			s.renewIfOver(running, n)
			if err := n.catalog.Open(running); err != nil {
				_ = s.api.Close() // nobody serves it
				s.diary.ended(running, n, err)
				return explain(fmt.Errorf("opening the network %s: %w", n.source.Identity().Document.Network, err))
			}
		}
		s.diary.started(running, s.networks)
		s.serve(running, g)
		return announce()
	})
	err := g.Wait()
	s.diary.stopped(ctx, s.networks)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve starts all that runs once the catalogs are open. Catalogs outlive the
// API, so that what a last request brings is still committed.
func (s *Server) serve(ctx context.Context, g *errgroup.Group) {
	committing, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stop()
		return s.registry.Serve(ctx, s.api)
	})
	reporting, enough := context.WithCancel(context.WithoutCancel(ctx)) // until the last version
	var ended atomic.Int64
	var catalogs sync.WaitGroup
	catalogs.Add(len(s.networks))
	for _, n := range s.networks {
		g.Go(func() error {
			defer catalogs.Done()
			err := n.catalog.Run(committing)
			s.diary.ended(ctx, n, err)
			if err != nil && ended.Add(1) < int64(len(s.networks)) {
				return nil // it was logged, and /readyz says so: the other networks go on
			}
			return explain(err)
		})
		g.Go(func() error { return n.renew(ctx, s.cfg.Logger) })
		g.Go(func() error { return s.diary.watch(ctx, n) })
	}
	g.Go(func() error { return s.registry.ReportHeads(reporting) })
	g.Go(func() error {
		defer enough()
		catalogs.Wait()
		return nil
	})
}

// renew keeps the registry's certificates fresh.
func (n *network) renew(ctx context.Context, logger *slog.Logger) error {
	if n.source.Identity().Document.CA == "" {
		return nil
	}
	if err := n.renewer.Run(ctx); err != nil {
		logger.LogAttrs(ctx, slog.LevelError, "certificate can no longer be renewed", slog.Any("error", err))
	}
	return nil
}

// renewIfOver tries to renew certificates that are past their time before
// anything is signed with them; the renewal loop goes on where it fails.
func (s *Server) renewIfOver(ctx context.Context, n *network) {
	i := n.source.Identity()
	if i.Document.CA == "" || s.cfg.Now().Before(enroll.RenewAt(i)) {
		return
	}
	if _, err := enroll.Renew(ctx, n.source, s.cfg.Now); err != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "certificate not renewed at start", slog.Any("error", err))
	}
}

// close gives back what was opened by a server that does not run.
func (s *Server) close() error {
	var errs []error
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	if s.ops != nil {
		errs = append(errs, s.ops.Close())
	}
	if s.api != nil {
		errs = append(errs, s.api.Close())
	}
	if s.diary != nil {
		errs = append(errs, s.diary.close())
	}
	return errors.Join(append(errs, s.closeStore())...)
}

func (s *Server) closeStore() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// Tear takes the store away from under the running registry, as a crash would:
// whatever was acknowledged before must be there at the next start.
func (s *Server) Tear() error { return s.db.Close() }

// handler answers at the admin socket.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+routeStatus, admin.Handle(s.status))
	return mux
}
