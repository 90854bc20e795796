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
}

type callKey struct{}

func callOf(r *http.Request) call {
	c, _ := r.Context().Value(callKey{}).(call) // connected put it there
	return c
}

// handler returns the routes of docs/protocol.md section 6, "CA". Of
// smallstep's interface only what is named here exists.
func (ca *CA) handler() http.Handler {
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
	return ca.connected(routes)
}

// allow names the methods that a path has (RFC 9110 section 15.5.6).
func allow(w http.ResponseWriter, routes chi.Routes, path string) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			w.Header().Add("Allow", method)
		}
	}
}

// connected finds the network and the caller of a connection, bounds the body,
// and gives the path its normal form before anything is decided by it.
func (ca *CA) connected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-cache")
		n := ca.bySNI(identity.FoldName(r.TLS.ServerName))
		if n == nil || ca.ofAnother(n, r.Host) {
			problemOf(identity.Refuse(identity.WrongNetwork, "host")).under(http.StatusMisdirectedRequest).write(w)
			return
		}
		r.URL.Path, r.URL.RawPath = path.Clean("/"+r.URL.Path), ""
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		c := call{network: n}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		peer, err := ca.peer(n, r)
		if peer == nil && ca.busy(w, r) {
			return
		}
		if err != nil {
			ca.refuse(w, r, err)
			return
		}
		c.peer = peer
		ctx := authority.NewContext(context.WithValue(r.Context(), callKey{}, c), n.node.authority)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
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
