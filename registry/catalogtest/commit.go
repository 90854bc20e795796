package catalogtest

import (
	"context"
	"sync"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/registry/catalog"
)

func testCommit(t *testing.T, p Place) {
	t.Helper()
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
	t.Helper()
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
	t.Helper()
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
	t.Helper()
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
	t.Helper()
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
