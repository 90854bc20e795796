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
	marks, err := ca.store.marks(ctx, n.name())
	if err != nil {
		return headReply{}, false, err
	}
	known, found := marks[peer.ID().Label()]
	reply = headReply{known.mark.Version, known.mark.Log}
	if report.Head == "" {
		return reply, false, nil
	}
	if c := report.Consistency; c != nil && c.From != known.mark.Version {
		return reply, true, nil
	}
	ask := discovery.Ask{Peer: peer.ID(), Now: ca.cfg.Now()}
	if found {
		ask.Mark = &known.mark
	}
	head, err := n.opener.Head(body, ask)
	if identity.CodeOf(err) == identity.Rollback {
		return reply, false, nil // of a replica behind the others, whose newest is known
	}
	if err != nil {
		return headReply{}, false, err
	}
	return ca.keepMark(ctx, n, peer.ID(), head.Mark(), report)
}

// keepMark stores a verified mark with what the registry serves.
func (ca *CA) keepMark(ctx context.Context, n *network, id identity.NodeID, mark identity.RegistryMark, report headReport) (headReply, bool, error) {
	for _, text := range []string{report.CRLs, report.Bundle} {
		if _, err := identity.ParseHash(text); err != nil {
			return headReply{}, false, err
		}
	}
	row := markRow{node: id.Label(), mark: mark, seenAt: ca.cfg.Now(), crls: report.CRLs, bundle: report.Bundle}
	if err := ca.store.raiseMark(ctx, n.name(), row); err != nil {
		return headReply{}, false, err
	}
	return headReply{mark.Version, mark.Log}, false, nil
}
