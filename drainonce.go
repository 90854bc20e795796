package netget

import (
	"context"
	"fmt"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// DrainOnce is [Node.Drain] of what another program has registered and no longer
// runs, or a registration of [Node.RegisterOnce]: it signs the next record of what
// the registries verifiably list of this node, to end when that would have, and to
// be live until then without heartbeats, at most an hour. It succeeds if one
// registry accepted; nothing listed is [ErrNotRegistered]. A node that is draining
// already is brought to those that have not heard of it.
func (n *Node) DrainOnce(ctx context.Context) (Registration, error) {
	return n.turnOnce(ctx, identity.Draining)
}

// UndrainOnce takes [Node.DrainOnce] back, in the same way.
func (n *Node) UndrainOnce(ctx context.Context) (Registration, error) {
	return n.turnOnce(ctx, identity.Active)
}

func (n *Node) turnOnce(ctx context.Context, state identity.State) (Registration, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return noRegistration(), err
	}
	if r := s.registered(); r != nil { // it is this program that runs
		if err := n.turn(ctx, state); err != nil {
			return noRegistration(), err
		}
		return r.summary(), nil
	}
	s.registering.Lock()
	defer s.registering.Unlock()
	found, err := s.askListed(ctx)
	if err != nil {
		return noRegistration(), err
	}
	statement, err := s.signTurned(ctx, found.Nodes[0].Record, state)
	if err != nil {
		return noRegistration(), err
	}
	out, _, err := s.publish(ctx, statement)
	return out, err
}

// signTurned signs the record that follows listed, with another state and nobody
// to send its heartbeats.
func (s *session) signTurned(ctx context.Context, listed *identity.Record, state identity.State) (*identity.Statement, error) {
	i := s.source.Identity()
	now := s.opts.Now().Unix()
	defer s.lockPlace(ctx)()
	place, err := s.savedPlace(ctx)
	if err != nil {
		return nil, err
	}
	if !place.Registered && place.after(listed.Epoch, listed.Sequence) == place {
		return nil, ErrNotRegistered // it was deregistered; a registry has not heard of that yet
	}
	saved := place
	if place.Epoch > listed.Epoch {
		// A start that no registry heard of. An operator may have removed what is
		// listed since: that holds for its epoch, and nothing of it was signed now.
		place = nodeState{Epoch: listed.Epoch, Sequence: s.opts.Now().UnixMicro(), IAT: place.IAT}
	}
	place = place.after(listed.Epoch, listed.Sequence)
	next := *listed
	next.IAT = max(now, listed.IAT, place.IAT)
	next.Exp = min(listed.Exp, next.IAT+int64(time.Hour/time.Second), i.Credential.Leaf().NotAfter.Unix())
	next.Epoch, next.Sequence, next.State = place.Epoch, place.Sequence+1, state
	life := next.Exp - next.IAT
	if life < 1 {
		return nil, ErrNotRegistered // it is over
	}
	chain, err := identity.NewChain(i.ID(), 1)
	if err != nil {
		return nil, err
	}
	next.Heartbeat = identity.Heartbeat{Anchor: chain.Anchor(), Count: 1, Interval: life}
	statement, err := identity.SignRecord(next, i.Credential, i.Bundle)
	if err != nil {
		return nil, fmt.Errorf("signing the record: %w", err)
	}
	saved = saved.after(next.Epoch, next.Sequence)
	s.savePlace(ctx, nodeState{Epoch: saved.Epoch, Sequence: saved.Sequence, IAT: next.IAT, Registered: true})
	return statement, nil
}

// askListed asks the registries for the record that they list of this node.
func (s *session) askListed(ctx context.Context) (*discovery.Found, error) {
	found, err := s.client.Node(ctx, s.source.Identity().ID())
	if isAbsent(err) {
		return nil, ErrNotRegistered
	}
	if err != nil {
		return nil, err
	}
	if len(found.Nodes) == 0 {
		return nil, ErrNotRegistered
	}
	return found, nil
}
