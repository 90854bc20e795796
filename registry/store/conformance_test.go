package store_test

import (
	"path/filepath"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalogtest"
	"github.com/neurons-me/netget/registry/store"
)

func openDB(t testing.TB, cfg database.Config) *database.DB {
	t.Helper()
	cfg.Migrations = migrations.Registry
	db, err := database.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("opening the database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}

func newStore(t testing.TB, db *database.DB, network identity.TrustDomain) *store.Store {
	t.Helper()
	s, err := store.New(db, network)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// processes is a database and whoever has it open. One process has an SQLite
// file; PostgreSQL is opened anew each time.
type processes struct {
	url  string
	open []*database.DB
}

func (p *processes) db(t *testing.T) *database.DB {
	t.Helper()
	if len(p.open) > 0 && p.open[0].Engine() == database.SQLite {
		return p.open[0]
	}
	db := openDB(t, database.Config{URL: p.url})
	p.open = append(p.open, db)
	return db
}

func (p *processes) place() catalogtest.Place {
	return catalogtest.Place{
		Open: func(t *testing.T, network identity.TrustDomain) catalog.Store { return newStore(t, p.db(t), network) },
		Restart: func(t *testing.T) {
			for _, db := range p.open {
				if err := db.Close(); err != nil {
					t.Fatalf("closing the database: %v", err)
				}
			}
			p.open = nil
		},
	}
}

func sqliteURL(t testing.TB) string { return database.URL(filepath.Join(t.TempDir(), "registry.db")) }

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		catalogtest.TestStore(t, func(t *testing.T) catalogtest.Place { return (&processes{url: sqliteURL(t)}).place() })
	})
	t.Run("postgres", func(t *testing.T) {
		catalogtest.TestStore(t, func(t *testing.T) catalogtest.Place { return (&processes{url: testpg.URL(t)}).place() })
	})
}
