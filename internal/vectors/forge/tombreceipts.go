package forge

import (
	"encoding/json"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// goodbye is the scene after db-3 left with version 5, and web-2 with version 6.
type goodbye struct {
	*scene
	tombstone *identity.Statement
	other     *identity.Statement
}

func newGoodbye() goodbye { return newGoodbyeOf(nil, nil) }

// newGoodbyeOf is newGoodbye with lies about version 5.
func newGoodbyeOf(lie func(*discovery.Head), change func(*discovery.Change)) goodbye {
	s := newScene()
	g := goodbye{scene: s, tombstone: s.end("db-3"), other: s.end("web-2")}
	services := s.reg.at(4).services
	short := s.service(service, second, "db-1", "db-2")
	gone := s.left("db-3", g.tombstone)
	if change != nil {
		change(&gone)
	}
	s.reg.commit(third+1, []discovery.Change{gone}, lie, short, services["web"])
	s.reg.commit(third+2, []discovery.Change{s.left("web-2", g.other)}, nil, short, s.service("web", third, "web-1"))
	s.n = 6
	s.v.Kind, s.v.Service = vectors.TombstoneReceiptKind, ""
	st := signed(g.tombstone)
	s.v.Statement = &st
	return g
}

func (s *scene) end(label string) *identity.Statement {
	return must(identity.SignTombstone(identity.TombstoneFor(s.nodes[label], identity.NID(s.ca.Root), third), s.creds[label], s.ca.Bundle()))
}

func (s *scene) left(label string, t *identity.Statement) discovery.Change {
	return discovery.Change{Node: t.Node(), Old: s.nodes[label].RID(), New: t.RID(), Reason: discovery.ReasonTombstone}
}

// receiptAt returns the receipt that names version n as the one which applied
// the tombstone.
func (g goodbye) receiptAt(n int64) discovery.TombstoneReceipt {
	r := discovery.TombstoneReceipt{
		Seal: g.reg.seal(g.n, g.from, g.iat, g.headLie), RID: g.tombstone.RID(), Time: g.iat + 1,
		Leaf: string(must(g.reg.at(n).head.LogLeaf())), Changes: json.RawMessage(g.reg.at(n).changes),
	}
	r.Inclusion = texts(must(g.reg.log.Inclusion(g.n, n-1)))
	return r
}

// vectorOf returns the vector of the receipt for the tombstone, after change.
func (g goodbye) vectorOf(name string, class identity.Code, prepare func(goodbye), change func(goodbye, *discovery.TombstoneReceipt)) vectors.Answer {
	if prepare != nil {
		prepare(g)
	}
	r := g.receiptAt(5)
	if change != nil {
		change(g, &r)
	}
	g.v.Doc = string(encode(r))
	v := g.vector(name, class)
	if class == "" {
		v.Want = g.want()
	}
	return v
}

func tombstoneReceipts() []vectors.Answer {
	one := func(name string, class identity.Code, prepare func(goodbye), change func(goodbye, *discovery.TombstoneReceipt)) vectors.Answer {
		return newGoodbye().vectorOf(name, class, prepare, change)
	}
	const incomplete = identity.Incomplete
	type receipt = discovery.TombstoneReceipt
	return []vectors.Answer{
		one("a tombstone's receipt, a version later", "", nil, nil),
		one("a tombstone's receipt at the version that applied it", "", func(g goodbye) { g.n = 5 }, nil),
		one("a tombstone's receipt from an earlier version", "", func(g goodbye) { g.from = 2 }, nil),
		one("a tombstone's receipt with white space in the change list", "", nil, func(_ goodbye, r *receipt) {
			r.Changes = json.RawMessage(" " + string(r.Changes) + " ")
		}),
		one("a tombstone's receipt with another rid", incomplete, nil, func(g goodbye, r *receipt) { r.RID = g.other.RID() }),
		one("a tombstone's receipt of a version that did not apply it", incomplete, nil, func(g goodbye, r *receipt) { *r = g.receiptAt(6) }),
		one("a tombstone's receipt with the change list of another version", incomplete, nil, func(g goodbye, r *receipt) { r.Changes = json.RawMessage(g.reg.at(6).changes) }),
		one("a tombstone's receipt with a change list that was made up", incomplete, nil, func(g goodbye, r *receipt) {
			changes := r.Changes
			*r = g.receiptAt(6)
			r.Changes = changes
		}),
		newGoodbyeOf(nil, func(c *discovery.Change) { c.New, c.Reason = identity.Hash{}, discovery.ReasonExpired }).
			vectorOf("a tombstone's receipt of a version that removed the node for another reason", incomplete, nil, nil),
		newGoodbyeOf(func(h *discovery.Head) { h.NID = hashOf("another root") }, nil).
			vectorOf("a tombstone's receipt with a leaf of another network", incomplete, nil, nil),
		newGoodbyeOf(func(h *discovery.Head) { h.Registry = newCA().ID("registry", "r2") }, nil).
			vectorOf("a tombstone's receipt with a leaf of another registry", incomplete, nil, nil),
		one("a tombstone's receipt with an empty change list", incomplete, nil, func(_ goodbye, r *receipt) { r.Changes = json.RawMessage("[]") }),
		one("a tombstone's receipt with the leaf of another version", incomplete, nil, func(g goodbye, r *receipt) { r.Leaf = string(must(g.reg.at(6).head.LogLeaf())) }),
		one("a tombstone's receipt with a leaf that is none", incomplete, nil, func(_ goodbye, r *receipt) { r.Leaf = "{}" }),
		one("a tombstone's receipt with the inclusion of another leaf", incomplete, nil, func(g goodbye, r *receipt) { r.Inclusion = texts(must(g.reg.log.Inclusion(6, 5))) }),
		one("a tombstone's receipt with a leaf that was made up", incomplete, nil, func(g goodbye, r *receipt) {
			h := g.reg.at(5).head
			h.Made--
			r.Leaf = string(must(h.LogLeaf()))
		}),
		one("a tombstone's receipt with a leaf above the head", incomplete, func(g goodbye) { g.n = 5 }, func(g goodbye, r *receipt) {
			r.Leaf, r.Changes = string(must(g.reg.at(6).head.LogLeaf())), json.RawMessage(g.reg.at(6).changes)
		}),
		one("a tombstone's receipt of an expired head", identity.Stale, func(g goodbye) { g.v.Now = now + 90 }, nil),
		one("a tombstone's receipt that withholds consistency", identity.Equivocation, func(g goodbye) { g.from = 2 }, func(_ goodbye, r *receipt) { r.Consistency = nil }),
		one("a tombstone's receipt with a member twice", identity.Malformed, func(g goodbye) { g.doc = twiceHead }, nil),
		one("a tombstone's receipt without inclusion", identity.Malformed, nil, func(_ goodbye, r *receipt) { r.Inclusion = nil }),
	}
}
