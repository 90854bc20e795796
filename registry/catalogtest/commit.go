package catalogtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

func testEmpty(t *testing.T, p Place) {
	s := p.Open(t, domain(t, "production"))
	expect(t, s, NewHistory(domain(t, "production")))
	_, err := s.Version(t.Context(), 1)
	wants(t, "Version", err, catalog.ErrNoVersion)
	must(t, s.Commit(t.Context(), NewHistory(domain(t, "production")).Next()))
	must(t, s.Ping(t.Context()))
}

func testClaim(t *testing.T, p Place) {
	network := domain(t, "production")
	s := p.Open(t, network)
	h := NewHistory(network)
	first, other := h.Node(t, 1), h.Node(t, 2)
	nid := RID("nid", 1, 1)
	for range 2 {
		must(t, s.Claim(t.Context(), first, nid))
		must(t, s.Ping(t.Context()))
	}
	wants(t, "Claim by another registry", s.Claim(t.Context(), other, nid), catalog.ErrForeignLog)
	wants(t, "Claim for another network", s.Claim(t.Context(), first, RID("nid", 2, 2)), catalog.ErrForeignLog)
	p.Restart(t)
	s = p.Open(t, network)
	wants(t, "Claim after a restart", s.Claim(t.Context(), other, nid), catalog.ErrForeignLog)
	must(t, s.Claim(t.Context(), first, nid))
}

func testClaims(t *testing.T, p Place) {
	network := domain(t, "production")
	h := NewHistory(network)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		s, node := p.Open(t, network), h.Node(t, i)
		wg.Go(func() { errs[i] = s.Claim(t.Context(), node, RID("nid", 1, 1)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, catalog.ErrForeignLog):
			t.Errorf("Claim: got %v, want %v", err, catalog.ErrForeignLog)
		}
	}
	if won != 1 {
		t.Errorf("%d registries have the log", won)
	}
}

func testCommit(t *testing.T, p Place) {
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	hidden := h.Row(t, 2, 2)
	hidden.Hidden, hidden.Listed, hidden.Status, hidden.Since = h.Row(t, 2, 1).State, false, 0, 0
	twice := h.Row(t, 3, 2)
	twice.Evidence, twice.Status = RID("evidence", 3, 2), discovery.Down
	h.Commit(t, s)
	h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1), h.Row(t, 3, 1))
	expect(t, s, h)
	h.Commit(t, s, h.Row(t, 1, 2), hidden)
	h.Commit(t, s, twice)
	h.Commit(t, s)
	expect(t, s, h)
	p.Restart(t)
	s = p.Open(t, network)
	expect(t, s, h)
	h.Commit(t, s, h.Row(t, 3, 3), h.Row(t, 2, 3))
	expect(t, s, h)
	for _, want := range h.Versions {
		got, err := s.Version(t.Context(), want.Version)
		if err != nil || got.Made != want.Made || string(got.Leaf) != string(want.Leaf) || string(got.Changes) != string(want.Changes) {
			t.Errorf("Version(%d): got %+v, %v", want.Version, got, err)
		}
	}
	_, err := s.Version(t.Context(), h.Loaded().Version+1)
	wants(t, "Version beyond the newest", err, catalog.ErrNoVersion)
}

func testFirstTokenStays(t *testing.T, p Place) {
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1))
	b := h.Next(h.Row(t, 1, 1))
	b.Objects[0].Token = "another signature"
	must(t, s.Commit(t.Context(), b))
	h.Apply(b)
	expect(t, s, h)
}

func testConflict(t *testing.T, p Place) {
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	first := h.Next(h.Row(t, 1, 1))
	must(t, s.Commit(t.Context(), first))
	h.Apply(first)
	h.Commit(t, s, h.Row(t, 1, 2))
	another := NewHistory(network)
	for name, b := range map[string]catalog.Batch{
		"the same again":    first,
		"an empty one":      another.Next(),
		"one with new rows": another.Next(h.Row(t, 1, 3), h.Row(t, 2, 1)),
	} {
		wants(t, name, s.Commit(t.Context(), b), catalog.ErrConflict)
		expect(t, s, h)
	}
}

// testRace lets two writers make each version of a history at once.
func testRace(t *testing.T, p Place) {
	const rounds = 50
	network := domain(t, "production")
	h := NewHistory(network)
	writers := []catalog.Store{p.Open(t, network), p.Open(t, network)}
	for range rounds {
		version := len(h.Versions)
		batches := []catalog.Batch{h.Next(h.Row(t, 1, 2*version)), h.Next(h.Row(t, 1, 2*version+1), h.Row(t, 2, version))}
		errs := commitAtOnce(t.Context(), writers, batches)
		for i := range errs {
			if errs[i] == nil {
				h.Apply(batches[i])
			} else {
				wants(t, "the loser", errs[i], catalog.ErrConflict)
			}
		}
		if made := len(h.Versions) - version; made != 1 {
			t.Fatalf("version %d was made %d times", version+1, made)
		}
	}
	expect(t, writers[0], h)
	expect(t, writers[1], h)
}

func commitAtOnce(ctx context.Context, writers []catalog.Store, batches []catalog.Batch) []error {
	errs := make([]error, len(writers))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, s := range writers {
		wg.Go(func() {
			<-start
			errs[i] = s.Commit(ctx, batches[i])
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func testBigBatch(t *testing.T, p Place) {
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	for n := range 2 {
		rows := make([]catalog.NodeRow, discovery.MaxChanges)
		for i := range rows {
			rows[i] = h.Row(t, i, n)
		}
		h.Commit(t, s, rows...)
	}
	expect(t, s, h)
}

// testLoadDuringCommits gives each version one more node, so that what belongs
// together can be counted.
func testLoadDuringCommits(t *testing.T, p Place) {
	const versions = 60
	network := domain(t, "production")
	h, writer, reader := NewHistory(network), p.Open(t, network), p.Open(t, network)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range versions {
			b := h.Next(h.Row(t, i, 1))
			if err := writer.Commit(t.Context(), b); err != nil {
				t.Errorf("Commit: %v", err)
				return
			}
			h.Apply(b)
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		kept, all := load(t, reader)
		if int64(len(kept)) != all.Version || int64(len(all.Nodes)) != all.Version || int64(len(all.Objects)) != all.Version {
			t.Fatalf("version %d came with %d leaves, %d nodes, %d objects", all.Version, len(kept), len(all.Nodes), len(all.Objects))
		}
		if _, err := translog.Restore(all.Version, all.LogRows); err != nil {
			t.Fatalf("version %d came with the rows of another log: %v", all.Version, err)
		}
	}
	wg.Wait()
	expect(t, reader, h)
}

func testLoadStops(t *testing.T, p Place) {
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	for i := range 3 {
		h.Commit(t, s, h.Row(t, i, 1))
	}
	stop := errors.New("stop")
	calls := 0
	_, err := s.Load(t.Context(), func(catalog.Version) error {
		calls++
		return stop
	})
	if err != stop || calls != 1 { //nolint:errorlint // the contract is this very error
		t.Errorf("Load: got %v after %d calls, want the caller's error after one", err, calls)
	}
	expect(t, s, h) // nothing stays locked
}

func testNetworks(t *testing.T, p Place) {
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
	network := domain(t, "production")
	s, h := p.Open(t, network), NewHistory(network)
	h.Commit(t, s, h.Row(t, 1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	row := h.Row(t, 1, 1)
	row.GreatestIAT++
	_, errLoad := s.Load(ctx, func(catalog.Version) error { return nil })
	_, errVersion := s.Version(ctx, 1)
	for name, err := range map[string]error{
		"Claim":     s.Claim(ctx, h.Node(t, 1), RID("nid", 1, 1)),
		"Commit":    s.Commit(ctx, h.Next(h.Row(t, 1, 2))),
		"Keep":      s.Keep(ctx, nil, []catalog.NodeRow{row}),
		"SaveBeats": s.SaveBeats(ctx, []catalog.BeatRow{{Node: h.Node(t, 1), RID: row.State, Beat: identity.Beat{K: 1}}}),
		"Prune":     s.Prune(ctx, catalog.Horizon{Made: Start + 1e6, IAT: Start + 1e6}),
		"Ping":      s.Ping(ctx),
		"Load":      errLoad,
		"Version":   errVersion,
	} {
		if err == nil {
			t.Errorf("%s went on", name)
		}
	}
	expect(t, s, h)
	h.Commit(t, s, h.Row(t, 1, 2))
	expect(t, s, h)
}
