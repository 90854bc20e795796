package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/registry/catalog"
)

// A statusError is a refusal whose HTTP status is not the one of its class.
type statusError struct {
	status int
	err    error
}

// Error returns the refusal.
func (e *statusError) Error() string { return e.err.Error() }

// Unwrap returns the refusal.
func (e *statusError) Unwrap() error { return e.err }

// A behindError says that the caller has seen a later version than this
// registry holds.
type behindError struct{ err error }

func newBehind(ours, from int64) error {
	return &behindError{identity.Refuse(identity.Unavailable, "the caller knows version %d, %d is ours", from, ours)}
}

// Error names both versions.
func (e *behindError) Error() string { return e.err.Error() }

// Unwrap returns the refusal.
func (e *behindError) Unwrap() error { return e.err }

// problemOf maps an error to its document: the class, a fixed sentence, and
// what the protocol adds to it. A failure of our own has no class and is told
// as unavailable.
func problemOf(err error) identity.Problem {
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		p := identity.NewProblem(identity.NotFound)
		return withStatus(p, e.Code)
	}
	if _, ok := errors.AsType[*busyError](err); ok {
		return identity.NewProblem(identity.Busy)
	}
	code := identity.CodeOf(err)
	if code == "" {
		code = identity.Unavailable
	}
	p := identity.NewProblem(code)
	if e, ok := errors.AsType[*statusError](err); ok {
		p = withStatus(p, e.status)
	}
	if e, ok := errors.AsType[*catalog.SupersededError](err); ok {
		cert := e.Statement.Certificate()
		p.Current, p.Certificate, p.Issuer = e.Statement.Token(), cert.Leaf().Raw, cert.Issuer().Raw
	}
	return p
}

// withHead adds the newest head of the caller's network, so that whoever gets
// no answer sees at least how far the registry is.
func withHead(p identity.Problem, c *caller) identity.Problem {
	if c == nil {
		return p
	}
	snap := c.network.catalog.Snapshot()
	if snap == nil {
		return p
	}
	if seal, err := snap.Seal(0); err == nil {
		p.Head, p.Registry = seal.Head, seal.Registry
	}
	return p
}

func withStatus(p identity.Problem, status int) identity.Problem {
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// retryAfter returns when a refused caller may come back; zero: nobody knows.
func retryAfter(err error, status int) time.Duration {
	if e, ok := errors.AsType[*busyError](err); ok {
		return e.after
	}
	if status == http.StatusServiceUnavailable {
		return time.Second
	}
	return 0
}

// fail answers with the class of an error and writes the reason to the log.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusServiceUnavailable {
		p = withHead(p, connOf(r.Context()).caller.Load())
	}
	s.logRefusal(w, r, p, err)
	setRetry(w.Header(), err, p.Status)
	body, encodeErr := json.Marshal(p)
	if encodeErr != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", discovery.ProblemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the caller may be gone; there is nobody else to tell
}

// failInShort is [Server.fail] without a body.
func (s *Server) failInShort(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	s.logRefusal(w, r, p, err)
	setRetry(w.Header(), err, p.Status)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(p.Status)
}

func setRetry(h http.Header, err error, status int) {
	if after := retryAfter(err, status); after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
}

// mayLog reports whether a refusal gets an audit entry, and how many of its
// caller's were left out before: each identity has so many, that none can fill
// the disk or crowd out the others. Connections that belong to nobody any more
// share the budget of the zero identity.
func (s *Server) mayLog(c *caller) (leftOut int64, ok bool) {
	var actor string
	if c != nil {
		actor = c.id().String()
	}
	leftOut, ok = s.actors.Spend(actor, s.cfg.Now())
	if !ok {
		s.metrics.unlogged.Inc()
	}
	return leftOut, ok
}

// logRefusal writes the audit entry of a refusal. Where the catalog has written
// one already, what only this place knows goes to the ordinary log.
func (s *Server) logRefusal(w http.ResponseWriter, r *http.Request, p identity.Problem, err error) {
	c := connOf(r.Context()).caller.Load()
	leftOut, ok := s.mayLog(c)
	if !ok {
		return
	}
	e := audit.Entry{
		Time: s.cfg.Now(), Event: audit.RequestRefused, Remote: r.RemoteAddr, Code: p.Code, LeftOut: leftOut,
		Reason: fmt.Sprintf("%s, status %d: %s", r.Method, p.Status, audit.Reason(err)),
	}
	if c != nil {
		e.Network, e.Actor = c.network.name(), c.id().String()
	}
	if _, behind := errors.AsType[*behindError](err); behind {
		e.Event = audit.VersionAhead
		e.Write(r.Context(), s.cfg.Audit)
		return
	}
	if counted, ok := w.(*countedWriter); ok && counted.audited {
		e.WriteAt(r.Context(), s.cfg.Logger, slog.LevelDebug)
		return
	}
	level := slog.LevelInfo
	if identity.CodeOf(err) == "" && p.Code == identity.Unavailable {
		level = slog.LevelWarn // a failure of our own
	}
	e.WriteAt(r.Context(), s.cfg.Audit, level)
}
