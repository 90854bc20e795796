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

func openDB(tb testing.TB, cfg database.Config) *database.DB {
	tb.Helper()
	cfg.Migrations = migrations.Registry
	db, err := database.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatalf("opening the database: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing the database: %v", err)
		}
	})
	return db
}

func newStore(tb testing.TB, db *database.DB, network identity.TrustDomain) *store.Store {
	tb.Helper()
	s, err := store.New(db, network)
	if err != nil {
		tb.Fatal(err)
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
		Open: func(t *testing.T, network identity.TrustDomain) catalog.Store {
			t.Helper()
			return newStore(t, p.db(t), network)
		},
		Restart: func(t *testing.T) {
			t.Helper()
			for _, db := range p.open {
				if err := db.Close(); err != nil {
					t.Fatalf("closing the database: %v", err)
				}
			}
			p.open = nil
		},
	}
}

func sqliteURL(tb testing.TB) string {
	tb.Helper()
	return database.URL(filepath.Join(tb.TempDir(), "registry.db"))
}

func TestStore(t *testing.T) {
	for engine, url := range map[string]func(testing.TB) string{"sqlite": sqliteURL, "postgres": testpg.URL} {
		t.Run(engine, func(t *testing.T) {
			catalogtest.TestStore(t, func(t *testing.T) catalogtest.Place {
				t.Helper()
				return (&processes{url: url(t)}).place()
			})
		})
	}
}
