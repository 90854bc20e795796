package authority

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
	"github.com/neurons-me/netget/pki"
)

// A ServerConfig says how to run an authority.
type ServerConfig struct {
	CA         pki.Config // Metrics is the server's own
	Audit      string     // file of the audit log; "" for none beside the ordinary log
	Address    string     // host:port of the API; port 0 takes a free one
	OpsAddress string     // host:port, or "off"

	// PublicURL is where nodes reach the API, the audience of join tokens.
	// Empty: where it listens, which must be one address then. A port 0 in
	// it stands for the port taken.
	PublicURL string
}

// A Server is an authority that holds its folder and its ports.
type Server struct {
	ca      *pki.CA
	api     net.Listener
	ops     *ops.Server
	admin   *admin.Server
	diary   *audit.Log // nil: none
	metrics *prometheus.Registry
}

// Listen opens the folder, the ports and the admin socket. Call [Server.Run],
// which closes them.
func Listen(ctx context.Context, cfg ServerConfig) (*Server, error) {
	s := &Server{metrics: ops.NewMetrics()}
	if err := s.open(ctx, cfg); err != nil {
		_ = s.close() // what kept it from opening matters more
		return nil, err
	}
	return s, nil
}

// open opens the API's port first: its number may be part of the URL for which
// the authority is opened.
func (s *Server) open(ctx context.Context, cfg ServerConfig) (err error) {
	if s.api, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Address); err != nil {
		return diagnose(ctx, cfg.CA, fmt.Errorf("opening the port: %w", err))
	}
	cfg.CA.Metrics = s.metrics
	if cfg.CA.URL, err = runURL(cfg.PublicURL, s.api.Addr()); err != nil {
		return err
	}
	if err = s.openDiary(&cfg); err != nil {
		return err
	}
	if s.ca, err = pki.Open(ctx, cfg.CA); err != nil {
		return Explain(err)
	}
	if s.ops, err = ops.Listen(ctx, cfg.OpsAddress); err != nil {
		return cli.Hint(err, "choose another port with --ops-address (port 0 takes a free one, 'off' none)")
	}
	s.admin, err = admin.Listen(cli.AdminSocket(cfg.CA.Dir))
	return err
}

// openDiary opens the audit log and makes it the authority's. Where there is no
// authority nothing is made; opening that says so.
func (s *Server) openDiary(cfg *ServerConfig) (err error) {
	if cfg.Audit == "" || !pki.Initialised(cfg.CA.Dir) {
		return nil
	}
	if s.diary, err = audit.Open(audit.Config{Path: cfg.Audit, Logger: cfg.CA.Logger}); err != nil {
		return cli.Hint(cli.Fail(cli.ExitFailure, "opening the audit log: %w", err), "choose another file with --audit, or --audit off for none")
	}
	cfg.CA.Audit = s.diary.With(cfg.CA.Logger)
	s.metrics.MustRegister(audited(s.diary))
	return nil
}

// audited is the metric of entries that could not be written.
func audited(l *audit.Log) prometheus.Collector {
	opts := prometheus.CounterOpts{Name: "netget_ca_audit_lost_total", Help: "Audit entries that could not be written to the file."}
	return prometheus.NewCounterFunc(opts, func() float64 { return float64(l.Lost()) })
}

// diagnose returns the better reason why an authority cannot be served when
// its port is taken: there is none in the folder, or it is being served.
func diagnose(ctx context.Context, cfg pki.Config, taken error) error {
	ca, err := pki.Open(ctx, cfg)
	if err != nil {
		return Explain(err)
	}
	_ = ca.Close() // nothing was changed
	return taken
}

// runURL returns the public URL of a run that listens at bound.
func runURL(public string, bound net.Addr) (string, error) {
	at, err := netip.ParseAddrPort(bound.String())
	if err != nil {
		return "", fmt.Errorf("reading the address of the port: %w", err)
	}
	if public == "" && at.Addr().IsUnspecified() {
		return "", cli.Hint(cli.Usage("%s stands for every address of this machine; nodes need one that they reach", at),
			"say how nodes reach the authority: --public-url https://HOST:PORT")
	}
	if public == "" {
		return "https://" + at.String(), nil
	}
	u, err := url.Parse(public)
	if err == nil && u.Port() == "0" {
		u.Host = net.JoinHostPort(u.Hostname(), fmt.Sprint(at.Port()))
		return u.String(), nil
	}
	return public, nil // for pki to judge
}

// CA returns the open authority.
func (s *Server) CA() *pki.CA { return s.ca }

// Address returns where the API is, host:port.
func (s *Server) Address() string { return s.api.Addr().String() }

// Ops returns the URL of the operations port, "" when it is off.
func (s *Server) Ops() string { return s.ops.URL() }

// Ports returns those that the server listens at.
func (s *Server) Ports() []int64 { return ops.Ports(s.Address(), s.Ops()) }

// Ready describes the server for its ready line.
func (s *Server) Ready(program string) cli.Ready {
	var names []string
	for _, n := range s.ca.Networks() {
		names = append(names, n.Network)
	}
	return cli.NewReady(program, s.Address(), s.Ops(), names)
}

// Run serves until ctx ends, gives requests at most 5 s to finish, closes
// everything and returns nil. Announce is called once, when the authority can
// be used.
func (s *Server) Run(ctx context.Context, announce func() error) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return s.ca.Serve(running, s.api) })
	g.Go(func() error { return s.admin.Run(running, Handler(s.ca)) })
	g.Go(func() error { return s.ops.Run(running, ops.Ready(s.ca.Ready), s.metrics) })
	g.Go(func() error {
		if !s.wait(running) {
			return nil
		}
		return announce()
	})
	writing, stop := context.WithCancel(context.WithoutCancel(ctx)) // all others have ended before
	var writer sync.WaitGroup
	if s.diary != nil {
		writer.Go(func() { _ = s.diary.Run(writing) }) // always nil
	}
	err := errors.Join(g.Wait(), s.ca.Close())
	stop()
	writer.Wait()
	return err
}

// wait returns true once the authority answers, false when ctx ends first.
func (s *Server) wait(ctx context.Context) bool {
	const interval = 5 * time.Millisecond // the authority makes its certificates meanwhile
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for s.ca.Ready(ctx) != nil {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
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
	if s.ca != nil {
		errs = append(errs, s.ca.Close())
	}
	if s.diary != nil {
		errs = append(errs, s.diary.Close())
	}
	return errors.Join(errs...)
}
