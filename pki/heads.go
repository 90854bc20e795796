package pki

import (
	"context"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A headReport is the body of POST /v1/heads beside the head itself: what the
// registry serves, and where its consistency proof begins. An empty one asks.
type headReport struct {
	Head        string `json:"head"`
	CRLs        string `json:"crls"`
	Bundle      string `json:"bundle"` // b64u SHA-256 of the bundle's body
	Consistency *struct {
		From int64 `json:"from"`
	} `json:"consistency"`
}

// A headReply is the authority's mark of the asking registry; version 0 is none.
type headReply struct {
	Version int64         `json:"version"`
	Log     identity.Hash `json:"log"`
}

// reportHead takes a registry's head, verified as a client would, and returns
// the mark from which the next consistency proof has to run. elsewhere tells
// that this one's did not.
func (ca *CA) reportHead(ctx context.Context, n *network, peer *identity.Certificate, body []byte) (reply headReply, elsewhere bool, err error) {
	if peer.ID().Type() != identity.RegistryNode {
		return headReply{}, false, identity.Refuse(identity.Denied, "%s is not a registry", peer.ID())
	}
	var report headReport
	if err := identity.UnmarshalStrict(body, &report); err != nil {
		return headReply{}, false, err
	}
	known, err := ca.markOf(ctx, n, peer.ID())
	if err != nil {
		return headReply{}, false, err
	}
	reply = replyOf(known)
	if report.Head == "" {
		return reply, false, nil
	}
	if c := report.Consistency; c != nil && c.From != reply.Version {
		return reply, true, nil
	}
	head, err := n.opener.Head(body, discovery.Ask{Peer: peer.ID(), Mark: known, Now: ca.cfg.Now()})
	if identity.CodeOf(err) == identity.Rollback {
		return reply, false, nil // of a replica behind the others, whose newest is known
	}
	if err != nil {
		return headReply{}, false, err
	}
	mark := head.Mark()
	raised, err := ca.keepMark(ctx, n, known, peer.ID(), mark, report)
	if err != nil || raised {
		return replyOf(&mark), false, err
	}
	known, err = ca.markOf(ctx, n, peer.ID())
	return replyOf(known), true, err // another report was faster, and this one is not proven against it
}

// markOf returns the mark of a registry, of whatever age; nil if there is none.
func (ca *CA) markOf(ctx context.Context, n *network, id identity.NodeID) (*identity.RegistryMark, error) {
	marks, err := ca.store.marks(ctx, n.name())
	if err != nil {
		return nil, err
	}
	if row, ok := marks[id.Label()]; ok {
		return &row.mark, nil
	}
	return nil, nil //nolint:nilnil // no mark is what most registries begin with
}

func replyOf(mark *identity.RegistryMark) headReply {
	if mark == nil {
		return headReply{}
	}
	return headReply{mark.Version, mark.Log}
}

// keepMark stores a mark that was verified against known, with what the
// registry serves. It reports false when known is not the mark any more.
func (ca *CA) keepMark(ctx context.Context, n *network, known *identity.RegistryMark, id identity.NodeID, mark identity.RegistryMark, report headReport) (bool, error) {
	for _, text := range []string{report.CRLs, report.Bundle} {
		if _, err := identity.ParseHash(text); err != nil {
			return false, err
		}
	}
	return ca.store.raiseMark(ctx, n.name(), known, markRow{
		node: id.Label(), mark: mark, seenAt: ca.cfg.Now(), crls: report.CRLs, bundle: report.Bundle,
	})
}
