package pki

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/authority"

	"github.com/neurons-me/netget/identity"
)

const maxBodyBytes = 64 << 10

// A call is one request after its connection has said which network it is of
// and who is calling.
type call struct {
	network *network
	peer    *identity.Certificate // nil when the caller showed no certificate
	visit   *visit                // nil when it showed one
}

// caller names who is calling; "" for somebody without certificate.
func (c call) caller() string {
	if c.peer == nil {
		return ""
	}
	return c.peer.ID().String()
}

type callKey struct{}

func within(ctx context.Context, c call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(r *http.Request) call {
	c, _ := r.Context().Value(callKey{}).(call) // connected put it there
	return c
}

// handler is all that happens around the routes, and they.
func (ca *CA) handler() http.Handler { return ca.caught(ca.connected(ca.routes())) }

// routes returns those of docs/protocol.md section 6, "CA". Of smallstep's
// interface only what is named here exists.
func (ca *CA) routes() chi.Router {
	routes := chi.NewRouter()
	routes.Post("/v1/enroll", ca.postEnroll)
	routes.Post("/v1/renew", ca.postRenew)
	routes.Post("/v1/heads", ca.postHeads)
	routes.Get("/v1/bundle", ca.getBundle)
	routes.Get("/1.0/health", api.Health)
	routes.Get("/1.0/version", api.Version)
	routes.Get("/1.0/roots", api.Roots)
	routes.Get("/1.0/root/{sha}", ca.getRoot)
	routes.NotFound(func(w http.ResponseWriter, r *http.Request) {
		ca.refuse(w, r, identity.Refuse(identity.NotFound, "there is no such route"))
	})
	routes.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		allow(w, routes, r.URL.Path)
		problemOf(identity.Refuse(identity.Malformed, "method")).under(http.StatusMethodNotAllowed).write(w)
	})
	return routes
}

// allow names the methods that a path has (RFC 9110 section 15.5.6).
func allow(w http.ResponseWriter, routes chi.Routes, path string) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
}

// connected finds the network of a connection, and gives the path its normal
// form before anything is decided by it.
func (ca *CA) connected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache")
		n := ca.bySNI(identity.FoldName(r.TLS.ServerName))
		if n == nil || ca.ofAnother(n, r.Host) {
			problemOf(identity.Refuse(identity.WrongNetwork, "host")).under(http.StatusMisdirectedRequest).write(w)
			return
		}
		r.URL.Path, r.URL.RawPath = path.Clean("/"+r.URL.Path), ""
		r = r.WithContext(within(r.Context(), call{network: n}))
		ca.called(w, r, next)
	})
}

// called finds the caller, and hands its request on when it may be judged.
func (ca *CA) called(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c := callOf(r)
	peer, err := ca.peer(c.network, r)
	if err != nil {
		w.Header().Set("Connection", "close") // it ends with its certificate
	}
	if peer == nil {
		hurry(w, r)
		ca.visited(w, r, func(w http.ResponseWriter, r *http.Request) { ca.judged(w, r, err, next) })
		return
	}
	ca.endWith(w, peer)
	c.peer = peer
	ca.judged(w, r.WithContext(within(r.Context(), c)), nil, next)
}

// judged refuses a caller with err, and what has a body that nobody here sends;
// the others go on to the routes.
func (ca *CA) judged(w http.ResponseWriter, r *http.Request, err error, next http.Handler) {
	if err == nil {
		err = checkBody(w, r)
	}
	if err != nil {
		ca.refuse(w, r, err)
		return
	}
	next.ServeHTTP(w, r.WithContext(authority.NewContext(r.Context(), callOf(r).network.node.authority)))
}

// lastMoment is what a request may take that its caller's certificate does not
// outlive. With idleTimeout behind it the connection ends within 10 s.
const lastMoment = 4 * time.Second

// endWith ends the request under way soon after its caller's certificate. One
// that is over already may ask for its renewal only, within the usual times.
func (ca *CA) endWith(w http.ResponseWriter, peer *identity.Certificate) {
	left := peer.Expires().Sub(ca.cfg.Now())
	if left < 0 || left > writeTimeout {
		return
	}
	end, c := time.Now().Add(left+lastMoment), http.NewResponseController(w)
	_ = c.SetReadDeadline(end) // both exist wherever net/http serves
	_ = c.SetWriteDeadline(end)
}

// checkBody bounds the body, and refuses one of a form that nobody here sends.
// One that says "chunked" may say a length too, which is how requests are
// smuggled (RFC 9112 section 6.1), and net/http no longer tells the two apart
// here, so the connection ends as for such a one; what is too large is told so
// all the same. One that is compressed has no bound that could be known before.
func checkBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength > maxBodyBytes {
		return identity.Refuse(identity.Limits, "a body of %d bytes: %w", r.ContentLength, errTooLarge)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	if len(r.TransferEncoding) != 0 {
		w.Header().Set("Connection", "close")
		body, err := read(r)
		if err != nil {
			return err
		}
		return identity.Refuse(identity.Malformed, "a body of %d bytes came without its length", len(body))
	}
	if len(r.Header["Content-Encoding"]) != 0 {
		return identity.Refuse(identity.Malformed, "a body in the coding %q", clip(r.Header.Get("Content-Encoding")))
	}
	return nil
}

// peer verifies the caller's certificate at the moment of the request; nil
// without error when it showed none. One that is over is good for asking for
// its renewal, and for nothing else.
func (ca *CA) peer(n *network, r *http.Request) (*identity.Certificate, error) {
	if len(r.TLS.PeerCertificates) == 0 {
		return nil, nil //nolint:nilnil // who enrols has no certificate yet
	}
	cert, err := verifyChain(n, r.TLS.PeerCertificates)
	if err != nil {
		return nil, err
	}
	if err := n.bundle.CheckRevoked(cert); err != nil {
		return nil, err
	}
	if r.URL.Path == "/v1/renew" {
		return cert, nil
	}
	if err := cert.CheckTime(ca.cfg.Now()); err != nil {
		return nil, identity.Refuse(identity.BadCert, "the caller's certificate is not in time: %w", err)
	}
	return cert, nil
}

// refuse answers with the class of an error and writes the reason to the log.
func (ca *CA) refuse(w http.ResponseWriter, r *http.Request, err error) {
	ca.denied(r, err)
	problemOf(err).write(w)
}

// routeOf is the route for logs and metrics; what was asked for elsewhere is
// the caller's to choose and stays out.
func routeOf(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
		return c.RoutePattern()
	}
	return "none"
}

// read reads a body; one over the limit is refused.
func read(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, identity.Refuse(identity.Limits, "the body: %w", large)
	}
	if err != nil {
		return nil, identity.Refuse(identity.Malformed, "reading the body: %w", err)
	}
	return body, nil
}

// decode reads a JSON body into v.
func decode(r *http.Request, v any) error {
	body, err := read(r)
	if err != nil {
		return err
	}
	return identity.UnmarshalStrict(body, v)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer may be gone; there is nobody else to tell
}

// ofAnother reports whether a Host header names another network than the one
// of the connection.
func (ca *CA) ofAnother(n *network, host string) bool {
	u, err := url.Parse("//" + host)
	if err != nil {
		return true
	}
	name := strings.TrimSuffix(identity.FoldName(u.Hostname()), ".")
	if _, err := netip.ParseAddr(name); err == nil || name == "" {
		return false
	}
	other := ca.bySNI(name)
	return other != nil && other != n
}

// bySNI returns the network that a server name chooses, or nil: that whose
// trust domain it is or lies in, or of which alone it is one of the extra names;
// what lies below an extra chooses none. Without a name it is the only network.
func (ca *CA) bySNI(name string) *network {
	networks := ca.all()
	if name == "" && len(networks) == 1 {
		return networks[0]
	}
	var found *network
	for _, n := range networks {
		td := n.spec.td.String()
		if name == td || strings.HasSuffix(name, "."+td) {
			return n
		}
		if slices.Contains(n.spec.extras.DNS, name) {
			if found != nil {
				return nil
			}
			found = n
		}
	}
	return found
}
