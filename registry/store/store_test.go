package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalogtest"
	"github.com/neurons-me/netget/registry/store"
)

func TestNewRefuses(t *testing.T) {
	if _, err := store.New(nil, production(t)); err == nil {
		t.Error("no database was accepted")
	}
	if _, err := store.New(openDB(t, database.Config{URL: sqliteURL(t)}), identity.TrustDomain{}); err == nil {
		t.Error("no network was accepted")
	}
}

// TestProcessThatIsBehind is about what no version protects.
func TestProcessThatIsBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, h := newStore(t, openDB(t, database.Config{URL: url}), production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1))
		behind := []catalog.NodeRow{h.Nodes[h.Node(t, 2)], h.Nodes[h.Node(t, 1)]}
		h.Commit(t, s, h.Row(t, 1, 2))

		for i := range behind {
			behind[i].GreatestIAT++
		}
		if err := s.Keep(t.Context(), nil, behind); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("Keep of a state that was replaced: got %v, want %v", err, catalog.ErrConflict)
		}
		expect(t, s, h)

		beat := catalog.BeatRow{
			Node: h.Node(t, 1), RID: h.Row(t, 1, 2).State,
			Beat: identity.Beat{K: 9, Token: catalogtest.RID("token", 1, 9)},
		}
		lower := beat
		lower.Beat = identity.Beat{K: 8, Token: catalogtest.RID("token", 1, 8)}
		if err := errors.Join(s.SaveBeats(t.Context(), []catalog.BeatRow{beat}), s.SaveBeats(t.Context(), []catalog.BeatRow{lower})); err != nil {
			t.Fatal(err)
		}
		h.Beats[beat.Node] = beat
		expect(t, s, h)
	})
}

// counts returns the numbers of rows that Load does not show.
func counts(t *testing.T, db *database.DB) (objects, certificates int64) {
	t.Helper()
	err := db.Read(t.Context(), func(q *database.Query) error {
		return errors.Join(
			q.Get(t.Context(), `SELECT count(*) FROM object`, nil, &objects),
			q.Get(t.Context(), `SELECT count(*) FROM certificate`, nil, &certificates))
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects, certificates
}

func TestPruneFreesRows(t *testing.T) {
	const day = 86400
	onBoth(t, func(t *testing.T, url string) {
		db := openDB(t, database.Config{URL: url})
		s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1), h.Row(t, 3, 1))
		h.Commit(t, s, h.Row(t, 1, 2))
		left := h.Row(t, 2, 1)
		left.Listed, left.Status, left.Since = false, 0, 0
		h.Commit(t, s, left)
		if objects, certificates := counts(t, db); objects != 4 || certificates != 4 { // one a node, one issuer
			t.Fatalf("before: %d objects, %d certificates", objects, certificates)
		}
		horizon := catalog.Horizon{Made: catalogtest.Start + day, IAT: catalogtest.Start + day}
		if err := s.Prune(t.Context(), horizon); err != nil {
			t.Fatal(err)
		}
		if objects, certificates := counts(t, db); objects != 2 || certificates != 4 {
			t.Errorf("after a day: %d objects, %d certificates, want 2 and, not yet a day over, 4", objects, certificates)
		}
		horizon.Made += day
		if err := s.Prune(t.Context(), horizon); err != nil {
			t.Fatal(err)
		}
		if objects, certificates := counts(t, db); objects != 2 || certificates != 3 {
			t.Errorf("after two days: %d objects, %d certificates, want 2 and 3", objects, certificates)
		}
	})
}

// TestPruneWhileOthersCommit lets one process bring back, again and again, an
// object and certificates that another one is removing as old and unused.
func TestPruneWhileOthersCommit(t *testing.T) {
	const rounds, day = 40, 86400
	url := testpg.URL(t)
	writer := newStore(t, openDB(t, database.Config{URL: url}), production(t))
	pruner := newStore(t, openDB(t, database.Config{URL: url}), production(t))
	h := catalogtest.NewHistory(production(t))
	for round := range rounds {
		now := int64(catalogtest.Start + (round+1)*100*day)
		b := h.Next(h.Row(t, 1, round%2)) // of two states one is always unused
		b.Made = now
		for i := range b.Objects {
			b.Objects[i].AcceptedAt = now
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := pruner.Prune(t.Context(), catalog.Horizon{Made: now - 30*day, IAT: now - 30*day}); err != nil {
				t.Errorf("Prune: %v", err)
			}
		})
		if err := writer.Commit(t.Context(), b); err != nil {
			t.Fatalf("Commit: %v", err)
		}
		wg.Wait()
		h.Apply(b)
		_, loaded, err := catalogtest.Contents(t.Context(), writer)
		if err != nil || len(loaded.Objects) != 1 || loaded.Objects[0].RID != h.Row(t, 1, round%2).State {
			t.Fatalf("round %d: got %d objects, %v, want the state", round, len(loaded.Objects), err)
		}
	}
}
