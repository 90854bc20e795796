package store_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/migrations"
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
		t.Helper()
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

// TestStoreOfAnOlderProgram shows that a store from before there were events
// gets them, and keeps what it has.
func TestStoreOfAnOlderProgram(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		db, err := database.Open(t.Context(), database.Config{URL: url, Migrations: func(engine string) fs.FS {
			const first = "00001_catalog.sql"
			text, err := fs.ReadFile(migrations.Registry(engine), first)
			if err != nil {
				t.Error(err)
			}
			return fstest.MapFS{first: {Data: text}}
		}})
		if err != nil {
			t.Fatal(err)
		}
		s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s = newStore(t, openDB(t, database.Config{URL: url}), production(t))
		expect(t, s, h)
		catalogtest.ExpectEvents(t, s, h)
		h.CommitEvents(t, s, h.Node(t, 1))
		expect(t, s, h)
		catalogtest.ExpectEvents(t, s, h)
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
		t.Helper()
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

// TestPruneDuringCommit runs Prune of another process when a commit has done all
// but become durable. It brings back what Prune finds old and unused: an object,
// or only the certificates, which a new object needs.
func TestPruneDuringCommit(t *testing.T) {
	const day = 86400
	const later = catalogtest.Start + 100*day
	for name, state := range map[string]int{"an old object": 1, "old certificates": 2} {
		t.Run(name, func(t *testing.T) {
			var atCommit func()
			url := testpg.URL(t)
			writer := newStore(t, openDB(t, database.Config{URL: url, Hook: func(m database.Moment) error {
				if m == database.BeforeCommit && atCommit != nil {
					atCommit()
				}
				return nil
			}}), production(t))
			watch := openDB(t, database.Config{URL: url})
			pruner := newStore(t, openDB(t, database.Config{URL: url}), production(t))
			h := catalogtest.NewHistory(production(t))
			left := h.Row(t, 1, 1)
			left.Listed, left.Status, left.Since = false, 0, 0
			h.Commit(t, writer, left)
			if err := pruner.Prune(t.Context(), catalog.Horizon{IAT: later}); err != nil { // its row, but nothing else
				t.Fatal(err)
			}

			pruned := make(chan error, 1)
			atCommit = func() {
				go func() {
					pruned <- pruner.Prune(t.Context(), catalog.Horizon{Made: later - 30*day, IAT: later - 30*day})
				}()
				awaitLock(t, watch, pruned)
			}
			b := h.Next(h.Row(t, 1, state))
			b.Objects[0].AcceptedAt = later
			if err := writer.Commit(t.Context(), b); err != nil {
				t.Fatalf("Commit: %v", err)
			}
			if err := <-pruned; err != nil {
				t.Fatalf("Prune: %v", err)
			}
			_, loaded, err := catalogtest.Contents(t.Context(), writer)
			if err != nil || len(loaded.Objects) != 1 {
				t.Fatalf("got %d objects, %v, want the state", len(loaded.Objects), err)
			}
		})
	}
}

// awaitLock waits until a process waits for another one's lock, or done is full.
func awaitLock(t *testing.T, db *database.DB, done <-chan error) {
	t.Helper()
	for waiting := int64(0); waiting == 0 && len(done) == 0; {
		err := db.Read(t.Context(), func(q *database.Query) error {
			return q.Get(t.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`, nil, &waiting)
		})
		if err != nil {
			t.Errorf("looking for locks: %v", err)
			return
		}
	}
}
