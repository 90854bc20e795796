package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/neurons-me/netget/internal/cli"
)

const (
	maxRequestBytes = 1 << 20
	headerTimeout   = 5 * time.Second
	readTimeout     = 30 * time.Second // of a request; answers take as long as their work
	idleTimeout     = time.Minute
	drainTimeout    = 5 * time.Second
)

// A Server answers commands at an admin socket.
type Server struct{ socket *socket }

// Listen opens the socket at path, so that a server knows before it says
// "ready" whether it is alone. Call [Server.Run], which closes it, or
// [Server.Close].
func Listen(path string) (*Server, error) {
	s, err := listen(path)
	if err != nil {
		return nil, err
	}
	return &Server{s}, nil
}

// Serve opens the socket at path and answers requests by h until ctx ends.
func Serve(ctx context.Context, path string, h http.Handler) error {
	s, err := Listen(path)
	if err != nil {
		return err
	}
	return s.Run(ctx, h)
}

// Close stops listening and removes the socket.
func (s *Server) Close() error { return s.socket.Close() }

// Run answers requests by h until ctx ends, lets those under way finish for at
// most 5 s, and removes the socket. It returns nil when ctx ended.
func (s *Server) Run(ctx context.Context, h http.Handler) error {
	server := &http.Server{
		Handler: permittedOnly(h), ConnContext: withPeer,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 16 << 10,
	}
	var stopped error
	var stopper sync.WaitGroup
	served := make(chan struct{})
	stopper.Go(func() {
		select {
		case <-ctx.Done():
			stopped = drain(context.WithoutCancel(ctx), server)
		case <-served:
		}
	})
	err := server.Serve(s.socket)
	close(served)
	stopper.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if err = errors.Join(err, stopped, s.Close()); err != nil {
		return fmt.Errorf("serving the admin socket: %w", err)
	}
	return nil
}

func drain(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if server.Shutdown(ctx) == nil {
		return nil
	}
	return server.Close() // whoever is not done by now is cut
}

// Handle returns the handler of one operation: it reads In as JSON, at most
// 1 MiB without unknown members, calls operation, and writes Out as JSON or
// the error with its class, exit code and hint. Classes that operation
// returns count as a server's word: see [cli.FromServer].
func Handle[In, Out any](operation func(ctx context.Context, in In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			WriteError(w, cli.Usage("reading the request: %w", err))
			return
		}
		out, err := operation(r.Context(), in)
		if err != nil {
			WriteError(w, err)
			return
		}
		write(w, http.StatusOK, out)
	})
}

// WriteError answers with err, which keeps its class, exit code and hint.
func WriteError(w http.ResponseWriter, err error) {
	write(w, http.StatusUnprocessableEntity, failure{cli.Explain(cli.FromServer(err))})
}

// failure is the form of an error on the socket.
type failure struct {
	Error cli.Report `json:"error"`
}

func write(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"failure","exit":1,"message":"the answer could not be encoded","hint":"report this as a bug"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no answer
}
