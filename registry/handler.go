package registry

import (
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
)

// handler is all that happens around the routes: who calls, of which network,
// in which form; then counting.
func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.recovered(r)
		began := time.Now() // of the metrics alone, never of a decision
		counted := &countedWriter{ResponseWriter: w}
		counted.Header().Set("Cache-Control", "private, no-cache")
		if err := s.prepare(counted, r); err != nil {
			s.fail(counted, r, err)
		} else {
			s.routes.ServeHTTP(counted, r)
		}
		s.metrics.observe(counted, time.Since(began))
	})
}

// recovered reports a bug of ours and cuts the connection.
func (s *Server) recovered(r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	s.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "a handler panicked",
		slog.Any("cause", cause), slog.String("method", r.Method), slog.String("stack", string(debug.Stack())))
	panic(http.ErrAbortHandler)
}

// prepare decides whether a request may go to its route at all, gives its path
// the normal form by which everything after decides, and takes its price: also
// of what is refused here or has no route.
func (s *Server) prepare(w http.ResponseWriter, r *http.Request) error {
	c, err := s.callerOf(r)
	if err != nil {
		w.Header().Set("Connection", "close")
		return err
	}
	if !strings.HasPrefix(r.URL.Path, "/") {
		r.URL.Path = "/" + r.URL.Path
	}
	r.URL.Path, r.URL.RawPath = path.Clean(r.URL.Path), ""
	if err := s.charge(c, r); err != nil {
		return err
	}
	if own := connOf(r.Context()); !own.vouched(r.Host) {
		if s.tenants.misdirects(r.Host, c.network) {
			return misdirected(r.Host)
		}
		own.vouch(r.Host)
	}
	// A body comes with its length: one that also says "chunked" is how
	// requests are smuggled (RFC 9112 section 6.1), and net/http no longer
	// tells the two apart here. What is too large is told so all the same.
	if len(r.TransferEncoding) != 0 {
		return refuseChunked(r)
	}
	if r.ContentLength > maxBodyBytes {
		return tooLarge()
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	return nil
}

func misdirected(host string) error {
	return &statusError{http.StatusMisdirectedRequest, identity.Refuse(identity.WrongNetwork, "%.64q is of another network than the connection", host)}
}

func refuseChunked(r *http.Request) error {
	body, err := readBody(r, maxBodyBytes)
	if err != nil {
		return err
	}
	return identity.Refuse(identity.Malformed, "a body of %d bytes came without its length", len(body))
}

func tooLarge() error {
	return &statusError{http.StatusRequestEntityTooLarge, identity.Refuse(identity.Limits, "the body is too large")}
}

// A countedWriter remembers what the metrics count.
type countedWriter struct {
	http.ResponseWriter
	route   string // pattern; "" before a route was found
	status  int
	audited bool // a refusal has its audit entry already
}

// WriteHeader notes the status.
func (w *countedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// acceptsGzip reports whether the caller takes gzip (RFC 9110 section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, field := range r.Header["Accept-Encoding"] {
		for coding := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(coding, ";")
			if strings.TrimSpace(name) == "gzip" {
				return !refusedQuality(params)
			}
		}
	}
	return false
}

// refusedQuality reports whether a weight is zero.
func refusedQuality(params string) bool {
	q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=0")
	return found && strings.Trim(q, ".0") == ""
}
