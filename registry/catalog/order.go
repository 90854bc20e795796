package catalog

import (
	"github.com/neurons-me/netget/identity"
)

// A verdict is what the order rule says of a statement.
type verdict uint8

const (
	_          verdict = iota
	becomes            // it is the state now
	same               // it was the state already
	superseded         // another one is the state
)

// next is the order rule (docs/protocol.md section 4, "Order"): what is known
// of a node after s was seen. It is commutative and idempotent as to state,
// evidence and iat: whatever order statements come in, the last next is equal.
// A nil place knows nothing. The result is neither listed nor unlisted anew.
// equivocates says that the node signed two statements for one place.
func (p *place) next(s *identity.Statement) (next *place, v verdict, equivocates bool) {
	if p == nil {
		return &place{state: s, iat: s.IssuedAt()}, becomes, false
	}
	n := *p
	n.iat = max(p.iat, s.IssuedAt())
	if s.RID() == p.state.RID() {
		return &n, same, false
	}
	pair := s.Epoch() == p.state.Epoch() && s.Sequence() == p.state.Sequence()
	equivocates = pair && !s.ByOperator() // the sequence of operators is theirs alone
	if s.Compare(p.state) < 0 {
		if equivocates {
			n.evidence = greater(p.evidence, s)
		}
		return &n, superseded, equivocates
	}
	n.state, n.evidence = s, nil
	n.hidden, n.beneath = p.hides(s)
	if equivocates {
		n.evidence = greater(p.evidence, p.state)
	}
	return &n, becomes, equivocates
}

// hides returns what the operator's tombstone s hides, to count again should
// the operator be revoked, and what lies beneath that. Of two operators'
// tombstones the newer hides the older, so that the revocation of one does not
// undo the other; that of both does. Of a third operator's nothing is kept.
func (p *place) hides(s *identity.Statement) (hidden, beneath *identity.Statement) {
	if !s.ByOperator() {
		return nil, nil
	}
	if p.state.ByOperator() && p.state.Certificate().Thumbprint() == s.Certificate().Thumbprint() {
		return p.hidden, p.beneath
	}
	return p.state, p.hidden
}

// greater returns the greater of two statements of one node; either may be nil.
func greater(a, b *identity.Statement) *identity.Statement {
	if a == nil || b != nil && a.Compare(b) < 0 {
		return b
	}
	return a
}

// inOrder returns what the order rule compares with: a place without the
// tombstone of an operator who was revoked.
func inOrder(p *place, bundle *identity.Bundle) *place {
	for p != nil && p.state.ByOperator() && bundle.CheckRevoked(p.state.Certificate()) != nil {
		p = p.uncovered()
	}
	return p
}
