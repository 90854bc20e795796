package catalogtest

import (
	"reflect"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// AddEvents adds to a batch that [History.Next] has made the next events of the
// network, one about each node given; the zero node is the network. No two in a
// row are alike.
func (h *History) AddEvents(b *catalog.Batch, nodes ...identity.NodeID) {
	id := int64(0)
	if n := len(h.Events); n > 0 {
		id = h.Events[n-1].ID
	}
	for _, node := range nodes {
		id++
		b.Events = append(b.Events, catalog.EventRow{
			ID: id, Node: node, Time: b.Made,
			From: discovery.Status(id % 4), To: discovery.Status((id + 1) % 4),
			Reason: "reason-" + strings.Repeat("x", int(id%57)+1), Evidence: evidence(id), Disputed: id%3 == 0,
		})
	}
}

// evidence is in part what strangers answer: nothing, much, or no text at all.
func evidence(id int64) string {
	return string(odd("evidence", id, 512)[:id*37%513])
}

// CommitEvents commits the next version, which has nothing but one event about
// each of nodes, to s.
func (h *History) CommitEvents(t *testing.T, s catalog.Store, nodes ...identity.NodeID) {
	t.Helper()
	b := h.Next()
	h.AddEvents(&b, nodes...)
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatalf("Commit of version %d: %v", b.Version.Version, err)
	}
	h.Apply(b)
}

// ExpectEvents compares all events of a store with those of the history.
func ExpectEvents(t *testing.T, s catalog.Store, h *History) {
	t.Helper()
	expectEvents(t, s, catalog.EventQuery{Limit: len(h.Events) + 1}, h.Events)
}

func expectEvents(t *testing.T, s catalog.Store, q catalog.EventQuery, want []catalog.EventRow) {
	t.Helper()
	got, err := s.Events(t.Context(), q)
	if err != nil {
		t.Fatalf("Events(%+v): %v", q, err)
	}
	if reflect.DeepEqual(got, want) {
		return // cmp needs seconds for many
	}
	same := gocmp.Comparer(func(a, b identity.NodeID) bool { return a == b })
	if diff := gocmp.Diff(want, got, same, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Events(%+v) (-want +got):\n%s", q, diff)
	}
}

func testEvents(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	ExpectEvents(t, s, h)
	all, one, two, three := identity.NodeID{}, h.Node(t, 1), h.Node(t, 2), h.Node(t, 3)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1), h.Row(t, 3, 1))
	h.CommitEvents(t, s, one, two, one, all)
	h.Commit(t, s)
	other, err := identity.NewNodeID(h.Network, "databaseservice-2", "node-1")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		h.CommitEvents(t, s, two, one, all, other)
	}
	for range 2 {
		expect(t, s, h)
		ExpectEvents(t, s, h)
		for _, node := range []identity.NodeID{all, one, two, three} {
			for _, limit := range []int{1, 3, 1000} {
				for _, after := range []int64{0, 1, 2, 30, 63, 64, 1000} {
					for _, newest := range []bool{false, true} {
						q := catalog.EventQuery{Node: node, After: after, Limit: limit, Newest: newest}
						expectEvents(t, s, q, h.events(q))
					}
				}
			}
		}
		for _, service := range []string{"databaseservice", "databaseservice-2", "database"} {
			for _, after := range []int64{0, 1, 60} {
				for _, newest := range []bool{false, true} {
					q := catalog.EventQuery{Service: service, After: after, Limit: 30, Newest: newest}
					expectEvents(t, s, q, h.events(q))
				}
			}
		}
		p.Restart(t)
		s = p.Open(t, network)
	}
	h.CommitEvents(t, s, one)
	ExpectEvents(t, s, h)
}

// events is what a store must answer.
func (h *History) events(q catalog.EventQuery) (all []catalog.EventRow) {
	for _, e := range h.Events {
		if (q.Node == identity.NodeID{} || q.Node == e.Node) && (q.Service == "" || q.Service == e.Node.Service()) && q.After < e.ID {
			all = append(all, e)
		}
	}
	surplus := max(0, len(all)-q.Limit)
	if q.Newest {
		return all[surplus:]
	}
	return all[:len(all)-surplus]
}

// testEventsOfFailedCommit repeats versions, and IDs of events.
func testEventsOfFailedCommit(t *testing.T, p Place) {
	t.Helper()
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1))
	first := h.Next()
	h.AddEvents(&first, h.Node(t, 1), identity.NodeID{})
	must(t, s.Commit(t.Context(), first))
	h.Apply(first)
	another := first
	another.Events = nil
	h.AddEvents(&another, h.Node(t, 1))
	for name, b := range map[string]catalog.Batch{
		"the same again":                      first,
		"the same version with another event": another,
	} {
		wants(t, name, s.Commit(t.Context(), b), catalog.ErrConflict)
		expect(t, s, h)
		ExpectEvents(t, s, h)
	}
	mixed := h.Next(h.Row(t, 1, 2))
	h.AddEvents(&mixed, h.Node(t, 1))
	known := first.Events[1]
	known.Reason = "another"
	mixed.Events = append(mixed.Events, known)
	must(t, s.Commit(t.Context(), mixed))
	mixed.Events = mixed.Events[:1] // the one of then stays as it is
	h.Apply(mixed)
	expect(t, s, h)
	ExpectEvents(t, s, h)
}

func testEventsOfNetworks(t *testing.T, p Place) {
	t.Helper()
	var stores []catalog.Store
	var histories []*History
	for _, name := range []string{"development", "production"} {
		network := domain(t, name)
		s, h := p.Open(t, network), NewHistory(network)
		h.Commit(t, s, h.Row(t, 1, 1))
		stores, histories = append(stores, s), append(histories, h)
	}
	for n := range 4 { // the same IDs
		histories[0].CommitEvents(t, stores[0], histories[0].Node(t, 1), identity.NodeID{})
		if n%2 == 0 {
			histories[1].CommitEvents(t, stores[1], histories[1].Node(t, 1), identity.NodeID{})
		}
	}
	for i := range stores {
		ExpectEvents(t, stores[i], histories[i])
		foreign := catalog.EventQuery{Node: histories[1-i].Node(t, 1), Limit: 9}
		expectEvents(t, stores[i], foreign, nil)
	}
	must(t, stores[1].Prune(t.Context(), catalog.Horizon{Events: 1}))
	histories[1].forgetEvents(1)
	for i := range stores {
		ExpectEvents(t, stores[i], histories[i])
	}
}
