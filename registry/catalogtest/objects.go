package catalogtest

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// expectObjects asks a store for names and requires the objects of those.
func expectObjects(t *testing.T, s catalog.Store, h *History, names, held []identity.Hash) {
	t.Helper()
	got, err := s.Objects(t.Context(), names)
	if err != nil {
		t.Fatalf("Objects: %v", err)
	}
	var want []catalog.Object
	for _, rid := range held {
		want = append(want, h.Objects[rid])
	}
	byName := func(a, b catalog.Object) int { return bytes.Compare(a.RID[:], b.RID[:]) }
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if len(got) != len(want) {
		t.Fatalf("%d names: got %d objects, want %d", len(names), len(got), len(want))
	}
	for i := range want { // cmp needs seconds for all of many
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("an object of %d (-want +got):\n%s", len(want), gocmp.Diff(want[i], got[i], gocmp.Comparer(sameNode)))
		}
	}
}

func sameNode(a, b identity.NodeID) bool { return a == b }

// testObjects asks for statements that Load shows and for those that were
// replaced, which it does not.
func testObjects(t *testing.T, p Place) {
	t.Helper()
	network, another := domain(t, "production"), domain(t, "development")
	s, h := p.Open(t, network), NewHistory(network)
	expectObjects(t, s, h, []identity.Hash{RID("state", 1, 1)}, nil)
	for n := range 3 {
		row := h.Row(t, 1, n)
		row.Hidden, row.Evidence = RID("hidden", 1, n), RID("evidence", 1, n)
		h.Commit(t, s, row, h.Row(t, 2, n))
	}
	replaced := []identity.Hash{RID("state", 1, 0), RID("state", 1, 1), RID("hidden", 1, 0), RID("evidence", 1, 1), RID("state", 2, 1)}
	held := append(slices.Clone(replaced), RID("state", 1, 2), RID("hidden", 1, 2), RID("evidence", 1, 2))
	names := append(slices.Clone(held), RID("state", 1, 3), identity.Hash{})
	expectObjects(t, s, h, names, held)
	expectObjects(t, s, h, held[:1], held[:1])
	expectObjects(t, s, h, nil, nil)
	expectObjects(t, p.Open(t, another), NewHistory(another), names, nil)
	p.Restart(t)
	s = p.Open(t, network)
	expectObjects(t, s, h, names, held)

	must(t, s.Prune(t.Context(), catalog.Horizon{Made: Start, IAT: Start})) // all are younger
	expectObjects(t, s, h, names, held)
	must(t, s.Prune(t.Context(), catalog.Horizon{Made: Start + 1e6, IAT: Start}))
	expectObjects(t, s, h, names, held[len(replaced):])
}

// testManyObjects asks for as many as one version can replace, and as many that
// are not there.
func testManyObjects(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	var names, held []identity.Hash
	for n := range 2 {
		rows := make([]catalog.NodeRow, discovery.MaxChanges)
		for i := range rows {
			rows[i] = h.Row(t, i, n)
		}
		h.Commit(t, s, rows...)
	}
	for i := range discovery.MaxChanges {
		held = append(held, RID("state", i, 0))
		names = append(names, RID("state", i, 0), RID("state", i, 7))
	}
	expectObjects(t, s, h, held, held)
	expectObjects(t, s, h, names, held)
}
