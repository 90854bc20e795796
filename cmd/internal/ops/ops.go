// Package ops is the operations port of the servers: plain HTTP with /livez,
// /readyz and /metrics, for those who watch over a machine (docs/protocol.md
// section 6).
package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/neurons-me/netget/internal/connlimit"
)

// Off is the address that stands for no operations port.
const Off = "off"

const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 10 * time.Second // whoever asks seldom connects again
	checkTimeout  = 2 * time.Second  // of one readiness check
	drainTimeout  = 2 * time.Second
)

// maxScrapes bounds the answers about metrics under way: each is made in memory.
const maxScrapes = 8

// mostConnections are few. Any user of the machine may open all of them, and
// what watches over a machine that cannot be asked any more would restart it: so
// a connection is kept only while it is being answered, see [connlimit.Holding].
const mostConnections = 256

// connections bounds them together only: all users of a machine have one
// address, and none may use it up for the others.
func connections() connlimit.Limits {
	return connlimit.Limits{Most: mostConnections, PerAddress: math.MaxInt, Rate: math.MaxFloat64, Burst: math.MaxInt}
}

// NewMetrics returns a registry of metrics that holds those of the process.
func NewMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// A Server answers at the operations port, or nowhere if that is off.
type Server struct{ listener net.Listener } // nil: off

// Listen opens the port at address, host:port, or none for [Off]. Call
// [Server.Run] or [Server.Close].
func Listen(ctx context.Context, address string) (*Server, error) {
	if address == Off {
		return &Server{}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("opening the operations port: %w", err)
	}
	return &Server{listener}, nil
}

// URL returns where the server answers, such as "http://127.0.0.1:8436", or ""
// when the port is off.
func (s *Server) URL() string {
	if s.listener == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String()
}

// Ports returns the ports of addresses host:port and of URLs; of "" there is none.
func Ports(addresses ...string) []int64 {
	var ports []int64
	for _, address := range addresses {
		if at, err := netip.ParseAddrPort(strings.TrimPrefix(address, "http://")); err == nil {
			ports = append(ports, int64(at.Port()))
		}
	}
	return ports
}

// Close closes a port that does not run.
func (s *Server) Close() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Ready returns the page /readyz of a server that is ready when check returns
// nil: its error is what is missing.
func Ready(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		if err := check(ctx); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ok")
	})
}

// Run answers until ctx ends and returns nil then; ready is the page /readyz.
func (s *Server) Run(ctx context.Context, ready http.Handler, metrics prometheus.Gatherer) error {
	if s.listener == nil {
		<-ctx.Done()
		return nil
	}
	server := &http.Server{
		Handler:           connlimit.Holding(handler(ready, metrics)),
		ConnContext:       connlimit.WithPlace,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10,
	}
	limiter := connlimit.New(connections())
	var drained sync.WaitGroup
	served := make(chan struct{})
	drained.Go(func() {
		select {
		case <-ctx.Done():
			limiter.Stop(ctx, server, drainTimeout)
		case <-served:
		}
	})
	err := server.Serve(limiter.Listener(s.listener))
	close(served)
	drained.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the operations port: %w", err)
}

func handler(ready http.Handler, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who is gone needs no answer
}
