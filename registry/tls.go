package registry

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A caller is whom a connection belongs to: an identity of one network,
// verified under that network's bundle.
type caller struct {
	network *network
	cert    *identity.Certificate
	bundle  *identity.Bundle
	state   tls.ConnectionState
}

// id returns who calls.
func (c *caller) id() identity.NodeID { return c.cert.ID() }

// serverTLS returns the configuration of the server's listener.
func (s *Server) serverTLS(ctx context.Context) *tls.Config {
	return identity.ServerTLS(func(sni string) *identity.Tenant {
		n := s.tenants.byName(sni)
		if n == nil {
			return nil
		}
		t := n.tenant(s.cfg.Now)
		verify := t.Verify
		t.Verify = func(state tls.ConnectionState) error {
			defer s.abort(ctx, inHandshake)
			return verify(state)
		}
		return t
	})
}

// verify judges the certificate that a connection has shown for the network
// which the connection is of.
func (n *network) verify(state tls.ConnectionState, now time.Time) (*caller, error) {
	b := n.source.Identity().Bundle
	cert, err := identity.VerifyPeer(state, b, identity.ClientUse, now)
	if err != nil {
		return nil, err
	}
	return &caller{network: n, cert: cert, bundle: b, state: state}, nil
}

// again judges the caller at a later moment: the certificate may be over, or,
// by a newer bundle, revoked.
func (c *caller) again(now time.Time) (*caller, error) {
	if c.network.source.Identity().Bundle != c.bundle {
		return c.network.verify(c.state, now)
	}
	if err := c.cert.CheckTime(now); err != nil {
		return nil, identity.Refuse(identity.BadCert, "the caller's certificate is not in time: %w", err)
	}
	return c, nil
}

// callerOf returns who makes a request, judged at this moment.
func (s *Server) callerOf(r *http.Request) (*caller, error) {
	own := connOf(r.Context())
	known := own.caller.Load()
	if known == nil {
		return s.identify(own, *r.TLS)
	}
	c, err := known.again(s.cfg.Now())
	if err == nil && c != known {
		own.caller.Store(c)
	}
	return c, err
}

// identify verifies the other side of a connection after its handshake.
func (s *Server) identify(own *conn, state tls.ConnectionState) (*caller, error) {
	n := s.tenants.byName(identity.FoldName(state.ServerName))
	if n == nil {
		return nil, identity.Refuse(identity.WrongNetwork, "%.64q names no network", state.ServerName)
	}
	c, err := n.verify(state, s.cfg.Now())
	if err == nil {
		own.caller.Store(c)
		own.pace.Store(s.budgets.of(c.id()).bytes)
		s.conns.identified(own, c.id())
	}
	return c, err
}

// connState notes whose a connection is as soon as the handshake is over, so
// that it can be ended with its certificate although nothing was asked on it.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	if state != http.StateActive {
		return
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return
	}
	own, ok := t.NetConn().(*conn)
	if !ok || own.caller.Load() != nil {
		return
	}
	if _, err := s.identify(own, t.ConnectionState()); err != nil {
		_ = own.Close() // the certificate ended within the handshake
	}
}
