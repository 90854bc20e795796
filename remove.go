package netget

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// removeTries is how often an operator follows a node that signs meanwhile.
const removeTries = 3

// Remove takes a node of a service, names in any ASCII case, off the network: it
// signs an operator's tombstone for what the registries list of it and brings that
// to all of them. It succeeds if one registry accepted. Only operators may
// ([identity.Denied]); a node that verifiably is not listed is [ErrNotFound]. A
// node that runs hears of it, see [ErrRemoved], and stays out until it is started
// again: to keep it out, revoke it.
func (n *Node) Remove(ctx context.Context, service, node string) (Registration, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return noRegistration(), err
	}
	me := s.source.Identity().ID()
	if me.Type() != identity.OperatorNode {
		return noRegistration(), identity.Refuse(identity.Denied, "%s is a %s, and only operators remove nodes", me, me.Type())
	}
	id, err := s.nodeID(service, node)
	if err != nil {
		return noRegistration(), err
	}
	place, err := s.placeOf(ctx, id)
	if err != nil {
		return noRegistration(), err
	}
	for try := 1; ; try++ {
		out, errs, err := s.remove(ctx, id, place)
		later := place.afterRefusals(errs)
		if later == place || try == removeTries {
			return out, err
		}
		place = later
	}
}

// placeOf asks the registries for the latest place in a node's order, also of a
// record that must not be used.
func (s *session) placeOf(ctx context.Context, id identity.NodeID) (nodeState, error) {
	found, err := s.client.Node(ctx, id)
	if err != nil {
		return nodeState{}, absent(id, err)
	}
	var place nodeState
	for _, n := range found.Nodes {
		place = place.after(n.Record.Epoch, n.Record.Sequence)
		place.IAT = max(place.IAT, n.Record.IAT)
	}
	for _, l := range found.LeftOut {
		epoch, sequence, iat := l.Place()
		place = place.after(epoch, sequence)
		place.IAT = max(place.IAT, iat)
	}
	return place, nil
}

// remove signs the tombstone that hides every state of the place's epoch, and
// brings it everywhere.
func (s *session) remove(ctx context.Context, id identity.NodeID, place nodeState) (Registration, []*discovery.RegistryError, error) {
	i := s.source.Identity()
	iat := max(s.opts.Now().Unix(), place.IAT)
	tombstone := identity.NewTombstone(id, i.Bundle.NID(), place.Epoch, identity.MaxSequence, iat)
	statement, err := identity.SignTombstone(tombstone, i.Credential, i.Bundle)
	if err != nil {
		return noRegistration(), nil, fmt.Errorf("signing the tombstone: %w", err)
	}
	return s.publish(ctx, statement)
}

// afterRefusals returns the latest place that registries know of the node
// instead, as the statement proves which each of them sent.
func (s nodeState) afterRefusals(errs []*discovery.RegistryError) nodeState {
	for _, e := range errs {
		superseded, ok := errors.AsType[*discovery.SupersededError](e.Err)
		if ok && superseded.Current != nil && !superseded.Current.ByOperator() && superseded.Current.Epoch() > s.Epoch {
			s.Epoch, s.IAT = superseded.Current.Epoch(), max(s.IAT, superseded.Current.IssuedAt())
		}
	}
	return s
}
