package discovery

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A Found is what all registries that answered say of a service, joined: per
// node its greatest state, the best status that a registry gives to it, and
// the greatest token.
type Found struct {
	Service    string
	Found      bool
	Nodes      []Node // sorted by identity
	LeftOut    []LeftOut
	Registries []Answered
	Errors     []*RegistryError
	At         time.Time // when it was verified
	Stale      bool      // no registry answered; this is the last answer
}

// Active returns the nodes that may be used, those first that no registry
// suspects.
func (f *Found) Active() []Node {
	var up, suspect []Node
	for _, n := range f.Nodes {
		switch {
		case !n.Active():
		case n.Status == Up:
			up = append(up, n)
		default:
			suspect = append(suspect, n)
		}
	}
	return append(up, suspect...)
}

type answeredView struct {
	url  string
	view *View
}

func (a answeredView) signed() Head { return a.view.Head }

func (v *View) has(id identity.NodeID) bool {
	return slices.ContainsFunc(v.entries, func(e entry) bool { return e.statement().Node() == id })
}

// join makes the union of views of one service.
func join(service string, views []answeredView, now time.Time) *Found {
	f := &Found{Service: service, At: now}
	nodes, out := map[identity.NodeID]Node{}, map[identity.NodeID]LeftOut{}
	for _, v := range views {
		f.Found = f.Found || v.view.Found
		f.Registries = append(f.Registries, Answered{URL: v.url, Registry: v.view.Head.Registry, Head: v.view.Head, Document: v.view.document})
		for _, n := range v.view.Nodes {
			if have, ok := nodes[n.Record.Node]; ok {
				if have.equivocates(n) {
					out[n.Record.Node] = LeftOut{ID: n.Record.Node, Code: identity.Equivocation, epoch: n.Record.Epoch, sequence: n.Record.Sequence, iat: max(have.Record.IAT, n.Record.IAT)}
				}
				n = have.join(n, now)
			}
			nodes[n.Record.Node] = n
		}
		for _, l := range v.view.LeftOut {
			if have, ok := out[l.ID]; !ok || l.outweighs(have) {
				out[l.ID] = l
			}
		}
	}
	for id, l := range out {
		if n, there := nodes[id]; there && n.standsAgainst(l) {
			continue // another registry shows a state that can be used
		}
		delete(nodes, id)
		f.LeftOut = append(f.LeftOut, l)
	}
	for _, n := range nodes {
		f.Nodes = append(f.Nodes, n)
	}
	slices.SortFunc(f.Nodes, func(a, b Node) int { return cmp.Compare(a.Record.Node.String(), b.Record.Node.String()) })
	slices.SortFunc(f.LeftOut, func(a, b LeftOut) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return f
}

// join returns the better of two views of one node.
func (n Node) join(o Node, now time.Time) Node {
	order := cmp.Or(cmp.Compare(n.Record.Epoch, o.Record.Epoch), cmp.Compare(n.Record.Sequence, o.Record.Sequence), bytes.Compare(n.RID[:], o.RID[:]))
	switch {
	case order > 0:
		return n
	case order < 0:
		return o
	case o.Status < n.Status: // up is best
		n.Status, n.Since, n.Cause = o.Status, o.Since, o.Cause
	}
	if o.Beat.K > n.Beat.K {
		n.Beat = o.Beat
	}
	n.hinted = n.hinted || o.hinted
	n.conclude(now)
	return n
}

// equivocates reports whether the node has signed another record for the same
// place, as two registries show at once.
func (n Node) equivocates(o Node) bool {
	return n.Record.Epoch == o.Record.Epoch && n.Record.Sequence == o.Record.Sequence && n.RID != o.RID
}

// standsAgainst reports whether the node's record counts although another
// registry's was left out: it is the later one, or the same place, unless the
// node has signed two for that.
func (n Node) standsAgainst(l LeftOut) bool {
	order := cmp.Or(cmp.Compare(n.Record.Epoch, l.epoch), cmp.Compare(n.Record.Sequence, l.sequence))
	return order > 0 || order == 0 && l.Code != identity.Equivocation
}

// outweighs reports whether l says more than o of the same node: it is of a
// later record, or of the same place and of two records for it.
func (l LeftOut) outweighs(o LeftOut) bool {
	order := cmp.Or(cmp.Compare(l.epoch, o.epoch), cmp.Compare(l.sequence, o.sequence))
	return order > 0 || order == 0 && l.Code == identity.Equivocation
}
