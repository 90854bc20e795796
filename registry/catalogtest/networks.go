package catalogtest

import (
	"context"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

func testNetworks(t *testing.T, p Place) {
	t.Helper()
	names := []identity.TrustDomain{domain(t, "development"), domain(t, "production")}
	var stores []catalog.Store
	var histories []*History
	for i, name := range names {
		s, h := p.Open(t, name), NewHistory(name)
		must(t, s.Claim(t.Context(), h.Node(t, i), RID("nid", i, 0)))
		stores, histories = append(stores, s), append(histories, h)
	}
	for n := range 5 {
		histories[0].Commit(t, stores[0], histories[0].Row(t, 1, n))
		expect(t, stores[1], histories[1])
	}
	for n := range 3 { // the same record ids, certificates and versions
		histories[1].Commit(t, stores[1], histories[1].Row(t, 1, n), histories[1].Row(t, 2, n))
	}
	saveBeat(t, stores[1], histories[1], 1, 2, 7)
	must(t, stores[1].Prune(t.Context(), catalog.Horizon{Made: Start + 1e6, IAT: Start + 1e6}))
	expect(t, stores[0], histories[0])
}

// testEndedContext says nothing about which error it is.
func testEndedContext(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	row := h.Row(t, 1, 1)
	row.GreatestIAT++
	_, errLoad := s.Load(ctx, func(catalog.Version) error { return nil })
	_, errVersion := s.Version(ctx, 1)
	_, errObjects := s.Objects(ctx, []identity.Hash{row.State})
	_, errEvents := s.Events(ctx, catalog.EventQuery{Limit: 1})
	for name, err := range map[string]error{
		"Claim":     s.Claim(ctx, h.Node(t, 1), RID("nid", 1, 1)),
		"Commit":    s.Commit(ctx, h.Next(h.Row(t, 1, 2))),
		"Keep":      s.Keep(ctx, nil, []catalog.NodeRow{row}),
		"SaveBeats": s.SaveBeats(ctx, []catalog.BeatRow{{Node: h.Node(t, 1), RID: row.State, Beat: identity.Beat{K: 1}}}),
		"Prune":     s.Prune(ctx, catalog.Horizon{Made: Start + 1e6, IAT: Start + 1e6}),
		"Ping":      s.Ping(ctx),
		"Load":      errLoad,
		"Version":   errVersion,
		"Objects":   errObjects,
		"Events":    errEvents,
	} {
		if err == nil {
			t.Errorf("%s went on", name)
		}
	}
	expect(t, s, h)
	h.Commit(t, s, h.Row(t, 1, 2))
	expect(t, s, h)
}
