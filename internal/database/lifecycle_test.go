package database_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

func TestMigrations(t *testing.T) {
	second := `ALTER TABLE items ADD COLUMN extra BIGINT NOT NULL DEFAULT 7;`
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			ctx := t.Context()
			db := open(t, database.Config{URL: url})
			if err := db.Write(ctx, add(t.Context(), "a", nil)); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			newer := open(t, database.Config{URL: url, Migrations: files(items, second)})
			var extra int64
			err := newer.Read(ctx, func(q *database.Query) error {
				return q.Get(ctx, `SELECT extra FROM items`, nil, &extra)
			})
			if err != nil || extra != 7 {
				t.Errorf("after the second migration: got %d, %v, want 7", extra, err)
			}
			if err := newer.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = database.Open(ctx, database.Config{URL: url, Migrations: files(items)})
			if !errors.Is(err, database.ErrNewer) {
				t.Errorf("an older program: got %v, want %v", err, database.ErrNewer)
			}
			_, err = database.Open(ctx, database.Config{URL: url, Migrations: files(items, second, "CREATE TABLE broken (;")})
			if err == nil {
				t.Error("a broken migration was accepted")
			}
			again := open(t, database.Config{URL: url, Migrations: files(items, second)}) // it left nothing locked
			must(t, again.Write(ctx, func(tx *database.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM goose_db_version WHERE version_id = 1`)
				return err
			}))
			must(t, again.Close())
			_, err = database.Open(ctx, database.Config{URL: url, Migrations: files(items, second)})
			if !errors.Is(err, database.ErrCorrupt) {
				t.Errorf("a migration that is forgotten: got %v, want %v", err, database.ErrCorrupt)
			}
		})
	}
}

func TestClose(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			inside, closed := make(chan struct{}), make(chan error, 1)
			go func() {
				<-inside
				closed <- db.Close()
			}()
			err := db.Write(t.Context(), func(tx *database.Tx) error {
				close(inside)
				for db.Read(t.Context(), func(*database.Query) error { return nil }) == nil {
				}
				return add(t.Context(), "a", nil)(tx)
			})
			if err != nil {
				t.Errorf("the write that ran when Close was called: %v", err)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close again: %v", err)
			}
			if err := db.Write(t.Context(), func(*database.Tx) error { return nil }); !errors.Is(err, database.ErrClosed) {
				t.Errorf("Write after Close: got %v, want %v", err, database.ErrClosed)
			}
			if n := count(t, open(t, database.Config{URL: url})); n != 1 {
				t.Errorf("got %d rows, want 1", n)
			}
		})
	}
}

func TestContextEndsWork(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			ctx, cancel := context.WithCancel(t.Context())
			err := db.Write(ctx, func(tx *database.Tx) error {
				if err := add(t.Context(), "a", bytes.Repeat([]byte("x"), 10))(tx); err != nil {
					return err
				}
				cancel()
				return nil
			})
			if !errors.Is(err, context.Canceled) || errors.Is(err, database.ErrInDoubt) {
				t.Errorf("Write: got %v, want %v", err, context.Canceled)
			}
			if n := count(t, db); n != 0 {
				t.Errorf("got %d rows, want 0", n)
			}
		})
	}
}
