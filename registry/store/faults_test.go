package store_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalogtest"
)

// onBoth runs test with the URL of an empty store of either engine.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteURL(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, testpg.URL(t)) })
}

func production(tb testing.TB) identity.TrustDomain {
	tb.Helper()
	td, err := identity.ParseTrustDomain("production.netget.internal")
	if err != nil {
		tb.Fatal(err)
	}
	return td
}

// expect compares what a store holds with what the history says it must hold.
func expect(t *testing.T, s catalog.Store, h *catalogtest.History) {
	t.Helper()
	versions, loaded, err := catalogtest.Contents(t.Context(), s)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if diff := catalogtest.Diff(h, versions, loaded); diff != "" {
		t.Fatalf("what was loaded (-want +got):\n%s", diff)
	}
}

func TestFailedCommits(t *testing.T) {
	fault := errors.New("fault")
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		var at atomic.Int64
		db := openDB(t, database.Config{URL: url, Hook: func(m database.Moment) error {
			if int64(m) == at.Load() {
				return fault
			}
			return nil
		}})
		s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1))

		b := h.Next(h.Row(t, 1, 2), h.Row(t, 2, 1))
		h.AddEvents(&b, h.Node(t, 1), h.Node(t, 2))
		at.Store(int64(database.BeforeCommit))
		if err := s.Commit(t.Context(), b); !errors.Is(err, fault) || errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a commit that failed before it happened: got %v, want the fault", err)
		}
		expect(t, s, h)
		catalogtest.ExpectEvents(t, s, h)

		at.Store(int64(database.AfterCommit))
		if err := s.Commit(t.Context(), b); !errors.Is(err, fault) || errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a commit that happened although we heard a failure: got %v, want the fault", err)
		}
		h.Apply(b)
		expect(t, s, h)
		at.Store(0)
		if err := s.Commit(t.Context(), b); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("trying it again: got %v, want %v", err, catalog.ErrConflict)
		}
		expect(t, s, h)
		catalogtest.ExpectEvents(t, s, h)
	})
}

// TestSchemaRefuses gives batches whose last row is wrong: nothing is written.
func TestSchemaRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s, h := newStore(t, openDB(t, database.Config{URL: url}), production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1))
		for name, spoil := range map[string]func(b *catalog.Batch){
			"an empty leaf":         func(b *catalog.Batch) { b.Leaf = nil },
			"an empty change list":  func(b *catalog.Batch) { b.Changes = nil },
			"a moment before 1970":  func(b *catalog.Batch) { b.Made = -1 },
			"an empty token":        func(b *catalog.Batch) { b.Objects[1].Token = "" },
			"a long token":          func(b *catalog.Batch) { b.Objects[1].Token = string(make([]byte, 8193)) },
			"no certificate":        func(b *catalog.Batch) { b.Objects[1].Leaf = nil },
			"a huge certificate":    func(b *catalog.Batch) { b.Objects[1].Issuer = make([]byte, 16385) },
			"an unknown status":     func(b *catalog.Batch) { b.Nodes[1].Status = 4 },
			"a negative time":       func(b *catalog.Batch) { b.Nodes[1].GreatestIAT = -1 },
			"no node":               func(b *catalog.Batch) { b.Nodes[1].Node = identity.NodeID{} },
			"a version after a gap": func(b *catalog.Batch) { b.Version.Version++ },
			"an event without ID":   func(b *catalog.Batch) { b.Events[1].ID = 0 },
			"an event of no time":   func(b *catalog.Batch) { b.Events[1].Time = 0 },
			"an unknown old status": func(b *catalog.Batch) { b.Events[1].From = 4 },
			"an unknown new status": func(b *catalog.Batch) { b.Events[1].To = 4 },
			"no reason":             func(b *catalog.Batch) { b.Events[1].Reason = "" },
			"a long reason":         func(b *catalog.Batch) { b.Events[1].Reason = strings.Repeat("x", 65) },
			"much evidence":         func(b *catalog.Batch) { b.Events[1].Evidence = strings.Repeat("é", 257) },
		} {
			b := h.Next(h.Row(t, 1, 2), h.Row(t, 2, 2))
			h.AddEvents(&b, h.Node(t, 1), h.Node(t, 2))
			spoil(&b)
			if err := s.Commit(t.Context(), b); err == nil || errors.Is(err, catalog.ErrConflict) {
				t.Errorf("%s: got %v, want an error that is no conflict", name, err)
			}
			expect(t, s, h)
			catalogtest.ExpectEvents(t, s, h)
		}
		b := h.Next(h.Row(t, 1, 2))
		b.LogRows = append(b.LogRows, h.Rows[0])
		if err := s.Commit(t.Context(), b); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a log hash that exists: got %v, want %v", err, catalog.ErrConflict)
		}
		expect(t, s, h)
	})
}

// pragma runs one on the connection that writes.
func pragma(t *testing.T, db *database.DB, sql string) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		_, err := tx.Exec(t.Context(), sql)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestFullFileAndReadOnlyFile(t *testing.T) {
	for _, row := range []struct {
		pragma string
		want   error
	}{
		{"PRAGMA max_page_count = 1", database.ErrFull},
		{"PRAGMA query_only = 1", database.ErrReadOnly},
	} {
		url := sqliteURL(t)
		db := openDB(t, database.Config{URL: url})
		s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1))
		pragma(t, db, row.pragma)
		rows := make([]catalog.NodeRow, 0, 100)
		for i := range 100 {
			rows = append(rows, h.Row(t, i, 2))
		}
		b := h.Next(rows...)
		if err := s.Commit(t.Context(), b); !errors.Is(err, row.want) {
			t.Errorf("%s: Commit: got %v, want %v", row.pragma, err, row.want)
		}
		expect(t, s, h)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s = newStore(t, openDB(t, database.Config{URL: url}), production(t))
		if err := s.Commit(t.Context(), b); err != nil {
			t.Errorf("after the trouble: %v", err)
		}
		h.Apply(b)
		expect(t, s, h)
	}
}

// TestFullDisk fills a small file system, where this machine lets us mount one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Logf("no small file system here (%v): TestFullFileAndReadOnlyFile has to do", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	url := database.URL(dir + "/registry.db")
	db := openDB(t, database.Config{URL: url})
	s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
	if err := s.Claim(t.Context(), h.Node(t, 1), catalogtest.RID("nid", 1, 1)); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := range 10_000 {
		b := h.Next(h.Row(t, n%10, n))
		if err = s.Commit(t.Context(), b); err != nil {
			break
		}
		h.Apply(b)
	}
	if !errors.Is(err, database.ErrFull) {
		t.Fatalf("Commit: got %v, want %v", err, database.ErrFull)
	}
	expect(t, s, h)
	if err := db.Close(); err != nil {
		t.Logf("closing on a full disk: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatalf("making room: %v", err)
	}
	s = newStore(t, openDB(t, database.Config{URL: url}), production(t))
	expect(t, s, h)
	h.Commit(t, s, h.Row(t, 1, 0))
	expect(t, s, h)
}

// TestRowsThatNobodyWrote damages rows behind the store's back.
func TestRowsThatNobodyWrote(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		db := openDB(t, database.Config{URL: url})
		s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
		h.Commit(t, s, h.Row(t, 1, 1))
		pragma(t, db, `DELETE FROM certificate`)
		_, err := s.Load(t.Context(), func(catalog.Version) error { return nil })
		if !errors.Is(err, database.ErrCorrupt) {
			t.Errorf("an object without its certificates: got %v, want %v", err, database.ErrCorrupt)
		}
		pragma(t, db, `UPDATE node SET node = 'nobody'`)
		_, err = s.Load(t.Context(), func(catalog.Version) error { return nil })
		if !errors.Is(err, database.ErrCorrupt) {
			t.Errorf("a node that is none: got %v, want %v", err, database.ErrCorrupt)
		}
	})
}

// TestEventsThatNobodyWrote damages rows that no other check looks at.
func TestEventsThatNobodyWrote(t *testing.T) {
	for name, tt := range map[string]struct{ sqlite, postgres, spoil, want string }{
		"a node that is none": {spoil: `UPDATE event SET node = 'nobody' WHERE id = 2`, want: "event 2: "},
		"a status that is none": {
			sqlite: `PRAGMA ignore_check_constraints = 1`, postgres: `ALTER TABLE event DROP CONSTRAINT event_new_status_check`,
			spoil: `UPDATE event SET new_status = 257 WHERE id = 2`, want: "event 2: ",
		},
		"a table that is not there": {spoil: `DROP TABLE event`, want: "reading events of production.netget.internal: "},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				t.Helper()
				db := openDB(t, database.Config{URL: url})
				s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
				h.CommitEvents(t, s, h.Node(t, 1), h.Node(t, 1), h.Node(t, 1))
				if before := map[string]string{database.SQLite: tt.sqlite, database.Postgres: tt.postgres}[db.Engine()]; before != "" {
					pragma(t, db, before)
				}
				pragma(t, db, tt.spoil)
				got, err := s.Events(t.Context(), catalog.EventQuery{Limit: 9})
				if !errors.Is(err, database.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) || got != nil {
					t.Errorf("got %v, %v, want %v at %q", got, err, database.ErrCorrupt, tt.want)
				}
			})
		})
	}
}

// TestServerStops shows that nothing is lost or invented when PostgreSQL dies.
func TestServerStops(t *testing.T) {
	server := testpg.New(t)
	db := openDB(t, database.Config{URL: server.URL(t)})
	s, h := newStore(t, db, production(t)), catalogtest.NewHistory(production(t))
	h.Commit(t, s, h.Row(t, 1, 1))
	server.Stop(t)
	b := h.Next(h.Row(t, 1, 2))
	if err := s.Commit(t.Context(), b); !errors.Is(err, database.ErrUnavailable) && !errors.Is(err, database.ErrInDoubt) {
		t.Errorf("Commit without a server: got %v, want %v", err, database.ErrUnavailable)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("Ping without a server: got %v, want %v", err, database.ErrUnavailable)
	}
	server.Start(t)
	expect(t, s, h)
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatalf("Commit after the server came back: %v", err)
	}
	h.Apply(b)
	expect(t, s, h)
}

func TestClosedDatabase(t *testing.T) {
	db := openDB(t, database.Config{URL: sqliteURL(t)})
	s := newStore(t, db, production(t))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), catalogtest.NewHistory(production(t)).Next()); !errors.Is(err, database.ErrClosed) {
		t.Errorf("got %v, want %v", err, database.ErrClosed)
	}
}
