package catalog

import (
	"sync"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A place is what the catalog knows of one node. It is immutable.
type place struct {
	state    *identity.Statement // the greatest
	hidden   *identity.Statement // what state, an operator's tombstone, hides; nil: nothing
	beneath  *identity.Statement // what hidden, another operator's tombstone, hides; nil: nothing
	evidence *identity.Statement // another of the same (epoch, sequence) as state; nil: none
	iat      int64               // the greatest of all statements seen
	applied  int64               // the version that made state the state
	listed   bool
	status   discovery.Status // 0 unless listed
	since    int64            // 0 unless listed
}

// row returns the place as stored.
func (p *place) row() NodeRow {
	r := NodeRow{
		Node: p.state.Node(), State: p.state.RID(), GreatestIAT: p.iat, Applied: p.applied,
		Listed: p.listed, Status: p.status, Since: p.since,
	}
	if p.hidden != nil {
		r.Hidden = p.hidden.RID()
	}
	if p.evidence != nil {
		r.Evidence = p.evidence.RID()
	}
	if p.beneath != nil { // an operator's tombstone has no evidence
		r.Evidence = p.beneath.RID()
	}
	return r
}

// forgotten reports whether the place need not be remembered any more at now:
// whatever its state has replaced is over.
func (p *place) forgotten(now int64) bool {
	return !p.listed && now >= identity.RememberUntil(p.iat)
}

// unlisted returns the place after its record has left the map.
func (p *place) unlisted() *place {
	next := *p
	next.listed, next.status, next.since = false, 0, 0
	return &next
}

// uncovered returns the place as if its state, an operator's tombstone, had
// never come; nil if it hides nothing.
func (p *place) uncovered() *place {
	if p.hidden == nil {
		return nil
	}
	return &place{state: p.hidden, hidden: p.beneath, iat: p.iat, applied: p.applied}
}

// places is every node that is remembered. Only the committer changes it.
type places struct {
	mu     sync.RWMutex
	byNode map[identity.NodeID]*place // guarded by mu
}

func (p *places) get(node identity.NodeID) *place {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byNode[node]
}

func (p *places) put(node identity.NodeID, next *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byNode[node] = next
}

// forget removes the places that need not be remembered any more.
func (p *places) forget(now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, known := range p.byNode {
		if known.forgotten(now) {
			delete(p.byNode, node)
		}
	}
}

// listed returns the rids of all listed records.
func (p *places) listed() map[identity.Hash]struct{} {
	p.mu.RLock()
	defer p.mu.RUnlock()
	rids := make(map[identity.Hash]struct{}, len(p.byNode))
	for _, known := range p.byNode {
		if known.listed {
			rids[known.state.RID()] = struct{}{}
		}
	}
	return rids
}

// stored returns a statement as stored.
func stored(s *identity.Statement, now int64) Object {
	cert := s.Certificate()
	return Object{RID: s.RID(), Node: s.Node(), Token: s.Token(), Leaf: cert.Leaf().Raw, Issuer: cert.Issuer().Raw, AcceptedAt: now}
}
