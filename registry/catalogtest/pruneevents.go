package catalogtest

import (
	"slices"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// forgetEvents drops what goes when no more than keep events of a node stay.
func (h *History) forgetEvents(keep int) {
	newer := make(map[identity.NodeID]int)
	var stay []catalog.EventRow
	for _, e := range slices.Backward(h.Events) {
		_, known := h.Nodes[e.Node]
		if newer[e.Node]++; newer[e.Node] <= keep && (known || e.Node.IsZero()) {
			stay = append(stay, e)
		}
	}
	slices.Reverse(stay)
	h.Events = stay
}

func testPruneEvents(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1), gone(h.Row(t, 3, 1)), gone(h.Row(t, 4, 2)))
	for range 5 {
		h.CommitEvents(t, s, h.Node(t, 1), identity.NodeID{}, h.Node(t, 3), h.Node(t, 4))
	}
	h.CommitEvents(t, s, h.Node(t, 2), h.Node(t, 2))
	for _, horizon := range []catalog.Horizon{
		{Events: 1000},
		{Events: 5},
		{Events: 3},
		{Events: 3},
		{Events: 3, IAT: h.Row(t, 3, 1).GreatestIAT}, // node 3 goes, 4 is younger
		{Events: 1, IAT: h.Row(t, 4, 2).GreatestIAT},
		{Events: 0},
	} {
		must(t, s.Prune(t.Context(), horizon))
		h.forget(horizon)
		h.forgetEvents(horizon.Events)
		expect(t, s, h)
		ExpectEvents(t, s, h)
	}
	p.Restart(t)
	ExpectEvents(t, p.Open(t, network), h)
}

// testPruneManyEvents gives one node very many events and others a few, lets
// half of the nodes go, and prunes between commits.
func testPruneManyEvents(t *testing.T, p Place) {
	t.Helper()
	const nodes, busy, rounds, keep = 700, 600, 3, 2
	network := domain(t, "production")
	s, other, h := p.Open(t, network), p.Open(t, network), NewHistory(network)
	var rows []catalog.NodeRow
	var about []identity.NodeID
	for i := range nodes {
		row := h.Row(t, i, 1)
		if i%2 == 1 {
			row = gone(row)
		}
		rows, about = append(rows, row), append(about, row.Node)
	}
	for range busy {
		about = append(about, h.Node(t, 0))
	}
	h.Commit(t, s, rows...)
	for range rounds {
		h.CommitEvents(t, s, about...)
	}
	pruned := make(chan error, 1)
	horizon := catalog.Horizon{IAT: Start + 1, Events: keep}
	go func() { pruned <- other.Prune(t.Context(), horizon) }()
	for i := range 10 {
		b := h.Next(h.Row(t, nodes+i, 1))
		h.AddEvents(&b, h.Node(t, nodes+i))
		must(t, s.Commit(t.Context(), b))
		h.Apply(b)
	}
	must(t, <-pruned)
	h.forget(horizon)
	h.forgetEvents(keep)
	if len(h.Events) != keep*nodes/2+10 {
		t.Fatalf("%d events should stay", len(h.Events))
	}
	ExpectEvents(t, s, h)
}
