package database_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

// files are migrations for either engine.
func files(statements ...string) func(string) fs.FS {
	return func(engine string) fs.FS {
		blob := map[string]string{database.SQLite: "BLOB", database.Postgres: "BYTEA"}[engine]
		tree := fstest.MapFS{}
		for i, s := range statements {
			text := "-- +goose Up\n" + strings.ReplaceAll(s, "BLOB", blob)
			tree[fmt.Sprintf("%05d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
		}
		return tree
	}
}

const items = `CREATE TABLE items (name TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, body BLOB, note TEXT);
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO counters (name, n) VALUES ('main', 0);`

func open(t *testing.T, cfg database.Config) *database.DB {
	t.Helper()
	if cfg.Migrations == nil {
		cfg.Migrations = files(items)
	}
	db, err := database.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// An engineCase makes empty stores of one engine.
type engineCase struct {
	name string
	url  func(t *testing.T) string
}

func engines() []engineCase {
	return []engineCase{
		{"sqlite", func(t *testing.T) string {
			t.Helper()
			return database.URL(filepath.Join(t.TempDir(), "test.db"))
		}},
		{"postgres", func(t *testing.T) string {
			t.Helper()
			return testpg.URL(t)
		}},
	}
}

const insert = `INSERT INTO items (name, size, body, note) VALUES ($1, $2, $3, $4)`

// add is a transaction that adds one row.
func add(ctx context.Context, name string, body []byte) func(*database.Tx) error {
	return func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, insert, name, 1, body, nil)
		return err
	}
}

func count(t *testing.T, db *database.DB) int64 {
	t.Helper()
	var n int64
	err := db.Read(t.Context(), func(q *database.Query) error {
		return q.Get(t.Context(), `SELECT count(*) FROM items`, nil, &n)
	})
	if err != nil {
		t.Fatalf("counting: %v", err)
	}
	return n
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			type row struct {
				Name string
				Size int64
				Body []byte
				Note *string
			}
			note := "a 'note'; with $1 and \"quotes\""
			want := []row{
				{"a", 1 << 62, []byte{0, 1, 255}, &note},
				{"b", -1, []byte{}, nil},
				{"c", 0, nil, nil},
			}
			ctx := t.Context()
			err := db.Write(ctx, func(tx *database.Tx) error {
				for _, r := range want {
					if n, err := tx.Exec(ctx, insert, r.Name, r.Size, r.Body, r.Note); n != 1 || err != nil {
						return fmt.Errorf("inserted %d: %w", n, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []row
			err = db.Read(ctx, func(q *database.Query) error {
				rows, err := q.Query(ctx, `SELECT name, size, body, note FROM items WHERE size >= $1 ORDER BY name`, -1)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var r row
					if err := rows.Scan(&r.Name, &r.Size, &r.Body, &r.Note); err != nil {
						return err
					}
					got = append(got, r)
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			var empty string
			err = db.Read(ctx, func(q *database.Query) error {
				return q.Get(ctx, `SELECT name FROM items WHERE body IS NOT NULL AND length(body) = 0`, nil, &empty)
			})
			if err != nil || empty != "b" {
				t.Errorf("the row with an empty blob: got %q, %v, want b", empty, err)
			}
		})
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	mine := errors.New("mine")
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			ctx := t.Context()
			one := add(t.Context(), "a", nil)
			rows := []struct {
				name string
				fn   func(tx *database.Tx) error
				want error
			}{
				{"an error of the function", func(tx *database.Tx) error { return errors.Join(one(tx), mine) }, mine},
				{"a key twice", func(tx *database.Tx) error { return errors.Join(one(tx), one(tx)) }, database.ErrUnique},
				{"a key twice, kept quiet", func(tx *database.Tx) error { _, _ = one(tx), one(tx); return nil }, database.ErrUnique},
				{"a key twice in a batch", func(tx *database.Tx) error {
					_, err := tx.ExecMany(ctx, insert, [][]any{{"a", 1, nil, nil}, {"b", 1, nil, nil}, {"a", 1, nil, nil}})
					return err
				}, database.ErrUnique},
			}
			for _, row := range rows {
				t.Run(row.name, func(t *testing.T) {
					if err := db.Write(ctx, row.fn); !errors.Is(err, row.want) {
						t.Errorf("Write: got %v, want %v", err, row.want)
					}
					if n := count(t, db); n != 0 {
						t.Errorf("%d rows were written", n)
					}
				})
			}
			t.Run("a panic", func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
					if n := count(t, db); n != 0 {
						t.Errorf("%d rows were written", n)
					}
				}()
				_ = db.Write(ctx, func(tx *database.Tx) error { panic(one(tx)) })
			})
		})
	}
}

func TestStatements(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			ctx := t.Context()
			err := db.Write(ctx, func(tx *database.Tx) error {
				batch := [][]any{{"a", 1, nil, nil}, {"b", 2, []byte("x"), nil}, {"c", 3, nil, "n"}}
				if n, err := tx.ExecMany(ctx, insert, batch); n != 3 || err != nil {
					t.Errorf("ExecMany: got %d, %v, want 3", n, err)
				}
				if n, err := tx.ExecMany(ctx, insert, nil); n != 0 || err != nil {
					t.Errorf("ExecMany of nothing: got %d, %v", n, err)
				}
				if n, err := tx.Exec(ctx, insert+` ON CONFLICT DO NOTHING`, "a", 9, nil, nil); n != 0 || err != nil {
					t.Errorf("DO NOTHING: got %d, %v, want 0", n, err)
				}
				var size int64
				upsert := insert + ` ON CONFLICT (name) DO UPDATE SET size = items.size + excluded.size RETURNING size`
				if err := tx.Get(ctx, upsert, []any{"a", 9, nil, nil}, &size); size != 10 || err != nil {
					t.Errorf("DO UPDATE RETURNING: got %d, %v, want 10", size, err)
				}
				if err := tx.Get(ctx, `SELECT size FROM items WHERE name = $1`, []any{"z"}, &size); !errors.Is(err, database.ErrNoRows) {
					t.Errorf("Get of nothing: got %v, want %v", err, database.ErrNoRows)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := count(t, db); n != 3 {
				t.Errorf("got %d rows, want 3", n)
			}
		})
	}
}

func TestReadSeesOneSnapshotAndCannotWrite(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			ctx := t.Context()
			err := db.Read(ctx, func(q *database.Query) error {
				var before, after int64
				if err := q.Get(ctx, `SELECT count(*) FROM items`, nil, &before); err != nil {
					return err
				}
				if err := db.Write(ctx, add(t.Context(), "a", nil)); err != nil {
					return err
				}
				if err := q.Get(ctx, `SELECT count(*) FROM items`, nil, &after); err != nil {
					return err
				}
				if before != 0 || after != 0 {
					t.Errorf("got %d rows, then %d, want 0 and 0", before, after)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Read(ctx, func(q *database.Query) error {
				var name string
				return q.Get(ctx, `INSERT INTO items (name, size) VALUES ('b', 1) RETURNING name`, nil, &name)
			})
			if !errors.Is(err, database.ErrReadOnly) {
				t.Errorf("writing in Read: got %v, want %v", err, database.ErrReadOnly)
			}
			if n := count(t, db); n != 1 {
				t.Errorf("got %d rows, want 1", n)
			}
		})
	}
}

// Read, then write what was read plus one: the pattern that loses updates
// where transactions do not see one snapshot.
func TestNoUpdateIsLost(t *testing.T) {
	const writers, rounds = 8, 10
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			db := open(t, database.Config{URL: url})
			ctx := t.Context()
			increment := func(tx *database.Tx) error {
				var n int64
				if err := tx.Get(ctx, `SELECT n FROM counters WHERE name = 'main'`, nil, &n); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, `UPDATE counters SET n = $1 WHERE name = 'main'`, n+1)
				return err
			}
			var done atomic.Int64
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for range rounds {
						switch err := db.Write(ctx, increment); {
						case err == nil:
							done.Add(1)
						case !errors.Is(err, database.ErrUnavailable):
							t.Errorf("Write: %v", err)
						}
					}
				})
			}
			wg.Wait()
			var n int64
			err := db.Read(ctx, func(q *database.Query) error {
				return q.Get(ctx, `SELECT n FROM counters WHERE name = 'main'`, nil, &n)
			})
			if err != nil || n != done.Load() || n == 0 {
				t.Errorf("counter: got %d, %v, want %d", n, err, done.Load())
			}
		})
	}
}

func TestHookMakesFaults(t *testing.T) {
	fault := errors.New("fault")
	for _, engine := range engines() {
		t.Run(engine.name, func(t *testing.T) {
			url := engine.url(t)
			var at atomic.Int64
			db := open(t, database.Config{URL: url, Hook: func(m database.Moment) error {
				if int64(m) == at.Load() {
					return fault
				}
				return nil
			}})
			for i, row := range []struct {
				name   string
				moment database.Moment
				want   int64
			}{
				{"a write that failed before it happened", database.BeforeCommit, 0},
				{"a write that happened although we heard a failure", database.AfterCommit, 1},
			} {
				at.Store(int64(row.moment))
				if err := db.Write(t.Context(), add(t.Context(), fmt.Sprint(i), nil)); !errors.Is(err, fault) {
					t.Errorf("%s: got %v, want the fault", row.name, err)
				}
				if n := count(t, db); n != row.want {
					t.Errorf("%s: got %d rows, want %d", row.name, n, row.want)
				}
			}
		})
	}
}
