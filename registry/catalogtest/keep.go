package catalogtest

import (
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

func testKeep(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1))
	row := h.Nodes[h.Node(t, 1)]
	row.Evidence, row.GreatestIAT = RID("evidence", 1, 1), row.GreatestIAT+5
	objects := []catalog.Object{h.object(row.Node, row.Evidence, Start+2)}
	for range 2 { // repeating it is harmless
		must(t, s.Keep(t.Context(), objects, []catalog.NodeRow{row}))
	}
	h.Keep(objects, []catalog.NodeRow{row})
	expect(t, s, h)
	must(t, s.Keep(t.Context(), nil, nil))
	h.Commit(t, s, h.Row(t, 1, 2))
	p.Restart(t)
	expect(t, p.Open(t, network), h)
}

// saveBeat saves a heartbeat of the i-th node in its n-th state.
func saveBeat(t *testing.T, s catalog.Store, h *History, i, n int, k int64) catalog.BeatRow {
	t.Helper()
	row := catalog.BeatRow{
		Node: h.Node(t, i), RID: h.Row(t, i, n).State,
		Beat: identity.Beat{K: k, Token: RID("token", i, int(k))},
	}
	must(t, s.SaveBeats(t.Context(), []catalog.BeatRow{row}))
	return row
}

func testBeats(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, other, h := p.Open(t, network), p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1))
	saveBeat(t, s, h, 1, 1, 8)
	h.Beats[h.Node(t, 1)] = saveBeat(t, s, h, 1, 1, 9)
	saveBeat(t, s, h, 1, 1, 9)
	h.Beats[h.Node(t, 2)] = saveBeat(t, other, h, 2, 1, 1)
	expect(t, s, h)
	h.Beats[h.Node(t, 1)] = saveBeat(t, s, h, 1, 2, 3) // of another record
	p.Restart(t)
	s = p.Open(t, network)
	expect(t, s, h)

	var many []catalog.BeatRow
	for i := range 2500 {
		row := catalog.BeatRow{Node: h.Node(t, i), RID: RID("state", i, 7), Beat: identity.Beat{K: int64(i) + 1, Token: RID("token", i, 0)}}
		h.Beats[row.Node] = row
		many = append(many, row)
	}
	must(t, s.SaveBeats(t.Context(), many))
	must(t, s.SaveBeats(t.Context(), nil))
	expect(t, s, h)
}
