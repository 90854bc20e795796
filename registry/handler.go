package registry

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
)

// handler is all that happens around the routes: who calls, of which network,
// in which form; then counting.
func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.abort(r.Context(), inHandler)
		began := time.Now() // of the metrics alone, never of a decision
		counted := &countedWriter{ResponseWriter: w}
		counted.Header().Set("Cache-Control", "private, no-cache")
		s.answer(counted, r)
		s.metrics.observe(counted, time.Since(began))
	})
}

// answer lets a request go to its route, or refuses it.
func (s *Server) answer(w *countedWriter, r *http.Request) {
	c, end, err := s.admit(w, r)
	if err != nil {
		s.refuse(w, r, c, err)
		return
	}
	defer end()
	if err := s.prepare(w, r, c); err != nil {
		s.fail(w, r, err)
		return
	}
	s.routes.ServeHTTP(w, r)
	s.flush(w, r, c)
}

// flush waits until the caller has room for the answer. A small one would wait
// for that, over HTTP/2, after its request has ceased to count among those of
// its identity, which matters where that has many connections.
func (s *Server) flush(w http.ResponseWriter, r *http.Request, c *caller) {
	if r.ProtoMajor == 2 && s.conns.many(c.id()) {
		_ = http.NewResponseController(w).Flush() // the caller may be gone; there is nobody else to tell
	}
}

// refuse answers a request that is not let in. Its refusal waits, too, for whoever
// does not read it, so each identity may have as many of them under way as it may
// have requests; what is beyond gets the status alone, which HTTP/2 sends to
// whoever reads nothing else.
func (s *Server) refuse(w *countedWriter, r *http.Request, c *caller, err error) {
	if c == nil { // its connection ends
		s.fail(w, r, err)
		return
	}
	end, surplus := s.refusals.begin(c.id())
	if surplus != nil {
		s.failInShort(w, r, err)
		return
	}
	defer end()
	s.fail(w, r, err)
	s.flush(w, r, c)
}

// admit finds who calls, gives the path the normal form by which everything
// after decides, takes the request's price, also of what is refused later or has
// no route, and counts it among those of its identity until end.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (c *caller, end func(), err error) {
	if c, err = s.callerOf(r); err != nil {
		w.Header().Set("Connection", "close")
		return nil, nil, err
	}
	if !strings.HasPrefix(r.URL.Path, "/") {
		r.URL.Path = "/" + r.URL.Path
	}
	r.URL.Path, r.URL.RawPath = path.Clean(r.URL.Path), ""
	if err := s.charge(c, r); err != nil {
		return c, nil, err
	}
	end, err = s.calls.begin(c.id())
	return c, end, err
}

// prepare decides whether a request may go to its route at all.
func (s *Server) prepare(w http.ResponseWriter, r *http.Request, c *caller) error {
	if own := connOf(r.Context()); !own.vouched(r.Host) {
		if s.tenants.misdirects(r.Host, c.network) {
			return misdirected(r.Host)
		}
		own.vouch(r.Host)
	}
	// A body comes with its length: one that also says "chunked" is how
	// requests are smuggled (RFC 9112 section 6.1), and net/http no longer
	// tells the two apart here, so the connection ends as for such a one. What
	// is too large is told so all the same.
	if len(r.TransferEncoding) != 0 {
		w.Header().Set("Connection", "close")
		return refuseChunked(r)
	}
	if len(r.Header["Content-Encoding"]) != 0 {
		return refuseCoding(r)
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

// refuseCoding refuses a compressed body: what is inflated has no bound that
// could be known before, and nothing that nodes send is worth it.
func refuseCoding(r *http.Request) error {
	return identity.Refuse(identity.Malformed, "a body in the coding %.32q", r.Header.Get("Content-Encoding"))
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

// refusedQuality reports whether a weight is zero, in any of its spellings.
func refusedQuality(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return err != nil || weight <= 0
		}
	}
	return false
}
