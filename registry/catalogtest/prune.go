package catalogtest

import (
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// gone returns the row after the node's record has left the map.
func gone(row catalog.NodeRow) catalog.NodeRow {
	row.Listed, row.Status, row.Since = false, 0, 0
	return row
}

// testPrune looks at what Load shows, which is not all that a store may keep.
func testPrune(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1), h.Row(t, 3, 1))
	h.Commit(t, s, h.Row(t, 1, 2))
	hides := gone(h.Row(t, 2, 2))
	hides.Hidden, hides.Evidence = h.Row(t, 2, 1).State, RID("evidence", 2, 1)
	h.Commit(t, s, hides)
	h.Commit(t, s, gone(h.Row(t, 3, 1)))
	h.Beats[h.Node(t, 1)] = saveBeat(t, s, h, 1, 2, 4)
	saveBeat(t, s, h, 3, 1, 4)

	nothing := catalog.Horizon{Made: Start, IAT: Start}
	must(t, s.Prune(t.Context(), nothing))
	if _, all := load(t, s); len(all.Nodes) != 3 || len(all.Beats) != 2 {
		t.Fatalf("a horizon before everything left %d nodes, %d heartbeats", len(all.Nodes), len(all.Beats))
	}

	// Only node 3 goes: node 2 is younger by a second. One of the versions and
	// every object that a row names stay whatever their age.
	must(t, s.Prune(t.Context(), catalog.Horizon{Made: Start + 1e6, IAT: h.Row(t, 3, 1).GreatestIAT}))
	old := h.Versions[:3]
	h.Versions = h.Versions[3:]
	delete(h.Nodes, h.Node(t, 3))
	expect(t, s, h)
	for _, v := range old {
		_, err := s.Version(t.Context(), v.Version)
		wants(t, "Version of a pruned one", err, catalog.ErrNoVersion)
	}

	p.Restart(t)
	s = p.Open(t, network)
	expect(t, s, h)
	again := NewHistory(network)
	wants(t, "Commit of a pruned version", s.Commit(t.Context(), again.Next(h.Row(t, 1, 3))), catalog.ErrConflict)
	next := catalog.Version{Version: 5, Made: Start + 5, Leaf: []byte("leaf"), Changes: []byte("[]")}
	log, rows := h.Log.Append(next.Leaf)
	must(t, s.Commit(t.Context(), catalog.Batch{Version: next, LogRows: rows}))
	h.Versions, h.Log, h.Rows = append(h.Versions, next), log, append(h.Rows, rows...)
	expect(t, s, h)
}

// testPruneMuch replaces the state of many nodes, so that the first ones are
// dead, lets half of the nodes go, and prunes between commits.
func testPruneMuch(t *testing.T, p Place) {
	t.Helper()
	const nodes, rounds = 1200, 120
	network := domain(t, "production")
	s, other, h := p.Open(t, network), p.Open(t, network), NewHistory(network)
	for n := range 2 {
		rows := make([]catalog.NodeRow, nodes)
		for i := range rows {
			rows[i] = h.Row(t, i, n)
			if n == 1 && i%2 == 1 {
				rows[i] = gone(rows[i])
			}
		}
		h.Commit(t, s, rows...)
	}
	for range rounds {
		h.Commit(t, s)
	}
	pruned := make(chan error, 1)
	horizon := catalog.Horizon{Made: Start + rounds, IAT: Start + 1}
	go func() { pruned <- other.Prune(t.Context(), horizon) }()
	for i := range 20 {
		h.Commit(t, s, h.Row(t, nodes+i, 1))
	}
	must(t, <-pruned)
	h.forget(horizon)
	expect(t, s, h)
}

// forget drops what a store may not show after it was pruned.
func (h *History) forget(horizon catalog.Horizon) {
	for len(h.Versions) > 1 && h.Versions[0].Made < horizon.Made {
		h.Versions = h.Versions[1:]
	}
	for node, row := range h.Nodes {
		if !row.Listed && row.GreatestIAT <= horizon.IAT {
			delete(h.Nodes, node)
			delete(h.Beats, node)
		}
	}
	h.dropDead(horizon.Made)
}

func (h *History) dropDead(before int64) {
	needed := make(map[identity.Hash]bool)
	for _, n := range h.Nodes {
		needed[n.State], needed[n.Hidden], needed[n.Evidence] = true, true, true
	}
	for rid, o := range h.Objects {
		if !needed[rid] && o.AcceptedAt < before {
			delete(h.Objects, rid)
		}
	}
}
