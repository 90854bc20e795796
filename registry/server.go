package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/connlimit"
)

// Time limits of the server.
const (
	headerTimeout = 5 * time.Second // bounds the handshake too
	readTimeout   = 15 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 5 * time.Second // the last version and its report come after it
)

// maxHeaderBytes is 4 KiB less than the protocol's 16 KiB: net/http reads that
// much more before it refuses.
const maxHeaderBytes = 12 << 10

// maxStreams bounds the requests under way on one HTTP/2 connection.
const maxStreams = 64

// http2Limits bounds what one HTTP/2 connection keeps in memory: requests are
// small, whatever their number.
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerStream:     maxBodyBytes,
		MaxReceiveBufferPerConnection: 4 * maxBodyBytes,
	}
}

// A Server answers the nodes of its networks. It is safe for concurrent use.
type Server struct {
	cfg      Config
	tenants  tenants
	limiter  *connlimit.Limiter
	conns    *conns
	unsent   *unsent
	calls    *underWay
	refusals *underWay // of requests beyond what an identity may ask
	waits    *underWay // for news
	budgets  *budgets
	actors   *audit.Budgets // of the audit log
	metrics  *metrics
	routes   http.Handler
	panics   panics

	lastReport time.Duration // what a report at the end may take

	ending context.Context //nolint:containedctx // the server's life: nobody is let in and nothing waits beyond it
	end    context.CancelFunc
}

// New checks the configuration and returns a server. It does no I/O. Networks
// of which one's name lies under another's are refused.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ts, err := newTenants(cfg.Networks)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, tenants: ts,
		limiter: connlimit.New(cfg.Connections),
		conns:   newConns(cfg.ConnectionsPerIdentity),
		unsent:  newUnsent(cfg.UnsentBytes),
		calls:   newUnderWay(maxUnderWay), refusals: newUnderWay(maxUnderWay), waits: newUnderWay(maxWaits),
		budgets: newBudgets(cfg.ReadRate, cfg.ReadBurst),
		actors:  audit.NewBudgets(),

		lastReport: lastReport,
	}
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	s.ending, s.end = context.WithCancel(context.Background())
	s.routes = s.newRoutes()
	return s, nil
}

// Serve answers on l, which it closes, until ctx ends; then it lets requests
// finish for at most 5 s and returns nil. The catalogs must be open.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := s.httpServer(s.handler())
	server.TLSConfig = s.serverTLS(ctx)
	server.ConnContext = withConn
	server.ConnState = func(c net.Conn, state http.ConnState) {
		defer s.abort(ctx, inConnection)
		s.connState(c, state)
	}
	server.HTTP2 = http2Limits()
	serve := func() error { return server.ServeTLS(&listener{s.limiter.Listener(l), s.conns}, "", "") }

	sweeping, stop := context.WithCancel(ctx)
	var sweeper sync.WaitGroup
	sweeper.Go(func() { s.sweep(sweeping) })
	defer sweeper.Wait()
	defer stop()

	defer context.AfterFunc(ctx, s.end)()
	defer s.end()
	return s.run(ctx, server, serve)
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h,
		// "OPTIONS *" is answered like everything else.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(s.newHTTPLog(), slog.LevelDebug),
	}
}

// run serves until ctx ends or serving fails.
func (s *Server) run(ctx context.Context, server *http.Server, serve func() error) error {
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving the registry: %w", err)
	case <-ctx.Done():
	}
	s.limiter.Stop(ctx, server, drainTimeout)
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the registry: %w", err)
	}
	return nil
}

// sweep ends connections with their certificates until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if closed := s.closeEnded(ctx); closed > 0 {
			s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "connections ended with their certificates", slog.Int("connections", closed))
		}
	}
}

// closeEnded closes the connections whose certificates have ended or were
// revoked.
func (s *Server) closeEnded(ctx context.Context) (closed int) {
	for _, c := range s.conns.all() {
		if s.ended(ctx, c) {
			_ = c.Close() // it is gone either way
			closed++
		}
	}
	return closed
}

// ended reports whether a connection must not go on; also where we cannot tell.
func (s *Server) ended(ctx context.Context, c *conn) bool {
	known := c.caller.Load()
	if known == nil {
		return false // the handshake has its own time limit
	}
	over := true
	func() {
		defer s.caught(ctx, inSweeper)
		_, err := known.again(s.cfg.Now())
		over = err != nil
	}()
	return over
}
