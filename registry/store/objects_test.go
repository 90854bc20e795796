package store_test

import (
	"errors"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalogtest"
)

// TestDamagedObjectsAreNamed asks for statements of which something is gone or
// garbled.
func TestDamagedObjectsAreNamed(t *testing.T) {
	for what, sql := range map[string]string{
		"a node that is none":         `UPDATE object SET node = 'nobody' WHERE node LIKE '%node-1'`,
		"a signer without its bytes":  `DELETE FROM certificate WHERE thumbprint IN (SELECT leaf FROM object WHERE node LIKE '%node-1')`,
		"an issuer without its bytes": `DELETE FROM certificate WHERE thumbprint IN (SELECT issuer FROM object)`,
		"a table that is not there":   `DROP TABLE object`,
	} {
		t.Run(what, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				t.Helper()
				db := openDB(t, database.Config{URL: url})
				s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
				h.Commit(t, s, h.Row(t, 1, 1), h.Row(t, 2, 1))
				names := []identity.Hash{h.Row(t, 1, 1).State, h.Row(t, 2, 1).State}
				if got, err := s.Objects(t.Context(), names); err != nil || len(got) != 2 {
					t.Fatalf("before: got %d objects, %v", len(got), err)
				}
				pragma(t, db, sql)
				if got, err := s.Objects(t.Context(), names); !errors.Is(err, database.ErrCorrupt) || got != nil {
					t.Errorf("got %d objects, %v, want %v", len(got), err, database.ErrCorrupt)
				}
			})
		})
	}
}

// TestObjectsOfAClosedStore shows that a failure is none of the store's rows.
func TestObjectsOfAClosedStore(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, database.Config{URL: url})
		s := newStore(t, db, production(t))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Objects(t.Context(), []identity.Hash{{1}}); !errors.Is(err, database.ErrClosed) {
			t.Errorf("got %v, want %v", err, database.ErrClosed)
		}
	})
}
