package discovery

import (
	"bytes"
	"cmp"

	"github.com/neurons-me/netget/identity"
)

// A NodeMark is what is remembered of a node, so that no registry can show an
// older state of it.
type NodeMark struct {
	Epoch       int64         `json:"epoch"`
	Sequence    int64         `json:"sequence"`
	RID         identity.Hash `json:"rid"`
	IAT         int64         `json:"iat"`         // the greatest seen
	Equivocated bool          `json:"equivocated"` // two records for this (epoch, sequence)
}

// follow returns the mark after s. The error is a [identity.Rollback] when s
// is below the mark, an [identity.Equivocation] when the node has signed
// another record for the same place; it stays out until a later one.
func (m *NodeMark) follow(s *identity.Statement) (NodeMark, error) {
	next := NodeMark{Epoch: s.Epoch(), Sequence: s.Sequence(), RID: s.RID(), IAT: s.IssuedAt()}
	if m == nil {
		return next, nil
	}
	next.IAT = max(next.IAT, m.IAT)
	switch order := cmp.Or(cmp.Compare(next.Epoch, m.Epoch), cmp.Compare(next.Sequence, m.Sequence)); {
	case order > 0:
		return next, nil
	case order < 0:
		return *m, identity.Refuse(identity.Rollback, "%s at (%d, %d), where (%d, %d) was seen before", s.Node(), next.Epoch, next.Sequence, m.Epoch, m.Sequence)
	case next.RID == m.RID && !m.Equivocated:
		return next, nil
	}
	next.Equivocated = true
	if bytes.Compare(m.RID[:], next.RID[:]) > 0 {
		next.RID = m.RID
	}
	return next, identity.Refuse(identity.Equivocation, "%s signed two records for (%d, %d)", s.Node(), next.Epoch, next.Sequence)
}

// merge joins what two programs of one identity remember of a node.
func (m NodeMark) merge(o NodeMark) NodeMark {
	next := m
	order := cmp.Or(cmp.Compare(m.Epoch, o.Epoch), cmp.Compare(m.Sequence, o.Sequence), bytes.Compare(m.RID[:], o.RID[:]))
	if order < 0 {
		next = o
	}
	next.IAT = max(m.IAT, o.IAT)
	next.Equivocated = next.Equivocated || m.Epoch == o.Epoch && m.Sequence == o.Sequence && (m.RID != o.RID || m.Equivocated || o.Equivocated)
	return next
}
