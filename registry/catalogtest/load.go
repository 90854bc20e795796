package catalogtest

import (
	"errors"
	"sync"
	"testing"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/registry/catalog"
)

// testLoadDuringCommits gives each version one more node, so that what belongs
// together can be counted.
func testLoadDuringCommits(t *testing.T, p Place) {
	t.Helper()
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
	t.Helper()
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
