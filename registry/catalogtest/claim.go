package catalogtest

import (
	"errors"
	"sync"
	"testing"

	"github.com/neurons-me/netget/registry/catalog"
)

func testEmpty(t *testing.T, p Place) {
	t.Helper()
	s := p.Open(t, domain(t, "production"))
	expect(t, s, NewHistory(domain(t, "production")))
	_, err := s.Version(t.Context(), 1)
	wants(t, "Version", err, catalog.ErrNoVersion)
	must(t, s.Commit(t.Context(), NewHistory(domain(t, "production")).Next()))
	must(t, s.Ping(t.Context()))
}

func testClaim(t *testing.T, p Place) {
	t.Helper()
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
	t.Helper()
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
