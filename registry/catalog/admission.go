package catalog

import (
	"context"
	"net/netip"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// An Outcome says that a statement is the state of its node, durably, under a
// signed head.
type Outcome struct {
	Created   bool // it became the state just now; false: it was already
	Statement *identity.Statement
	Snapshot  *Snapshot // a version in which it is the state
	Applied   int64     // the version that made it the state
	Notes     []string  // what the registry will not do; never nil
}

// A Peer is who brings something, over a TLS connection from an address.
type Peer struct {
	*identity.Certificate

	From netip.Addr // zero: not known
}

// Submit admits a record or tombstone that the TLS peer brings, and waits until
// it is durable and under a signed head, or ctx ends. The rules are checked in
// the order of docs/protocol.md. Refusals are an [identity.Error] with its class
// or a [*SupersededError]; [identity.Unavailable] means that the outcome is not
// known, and posting the same again is harmless. Every outcome writes one audit
// entry.
func (c *Catalog) Submit(ctx context.Context, token string, peer Peer) (*Outcome, error) {
	s, err := c.admit(token, peer.Certificate)
	if err != nil {
		c.auditRefusal(ctx, peer.ID(), identity.Hash{}, err)
		return nil, err
	}
	out, err := c.submit(ctx, s, peer)
	if err != nil {
		c.auditRefusal(ctx, peer.ID(), s.RID(), err)
		return nil, err
	}
	return out, nil
}

func (c *Catalog) submit(ctx context.Context, s *identity.Statement, peer Peer) (*Outcome, error) {
	e := &entry{statement: s, actor: peer.ID(), from: peer.From, done: make(chan result, 1)}
	if err := c.queue.push(e); err != nil {
		return nil, err
	}
	select {
	case r := <-e.done:
		return r.outcome, r.err
	case <-ctx.Done():
		return nil, identity.Refuse(identity.Unavailable, "waiting for the statement to be durable: %w", context.Cause(ctx))
	}
}

// admit checks all that does not depend on the state of the network. It runs in
// the caller's goroutine: signatures are what costs.
func (c *Catalog) admit(token string, peer *identity.Certificate) (*identity.Statement, error) {
	env, err := identity.ParseEnvelope(token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	if env.Thumbprint() != peer.Thumbprint() {
		return nil, identity.Refuse(identity.Binding, "signed with another certificate than that of the connection")
	}
	bundle := c.bundle()
	s, err := bundle.OpenStatement(env, peer)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckRevoked(peer); err != nil {
		return nil, err
	}
	if err := checkAdmissionTime(s, c.now()); err != nil {
		return nil, err
	}
	if n := len(peer.Leaf().Raw); n > discovery.MaxLeafBytes {
		return nil, identity.Refuse(identity.Limits, "a certificate of %d bytes, more than %d", n, discovery.MaxLeafBytes)
	}
	return s, nil
}

// checkAdmissionTime is stricter than what readers allow: nothing that is over
// by our own clock comes in. An operator's epoch is bounded by the clock,
// because it hides every epoch up to it.
func checkAdmissionTime(s *identity.Statement, now time.Time) error {
	if err := s.Certificate().CheckTime(now); err != nil {
		return identity.Refuse(identity.BadCert, "the certificate has ended meanwhile: %w", err)
	}
	if err := s.CheckTime(now); err != nil {
		return err
	}
	if s.ExpiresAt() <= now.Unix() {
		return identity.Refuse(identity.BadTime, "over since %d", s.ExpiresAt())
	}
	if latest := now.Add(identity.ClockSkew).Unix(); s.ByOperator() && s.Epoch() > latest {
		return identity.Refuse(identity.BadTime, "an operator's epoch %d is later than %d", s.Epoch(), latest)
	}
	return nil
}
