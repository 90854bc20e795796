package store_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

// A table is what a table of a database holds, whatever it is.
type table struct {
	name    string
	columns []column
	rows    [][]any // string, int64, bool, []byte; nil for NULL
}

type column struct {
	name, kind string // kind: text, integer, boolean, blob
	nullable   bool
}

const (
	sqliteTables    = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name`
	sqliteColumns   = `SELECT name, lower(type), CASE WHEN "notnull" = 0 AND pk = 0 THEN 'YES' ELSE 'NO' END FROM pragma_table_info($1) ORDER BY cid`
	postgresTables  = `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name`
	postgresColumns = `SELECT column_name::text, data_type::text, is_nullable::text FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position`
)

// dump reads every table but the one that the migrations keep.
func dump(t *testing.T, db *database.DB) []table {
	t.Helper()
	var all []table
	err := db.Read(t.Context(), func(q *database.Query) error {
		names, columns := sqliteTables, sqliteColumns
		if db.Engine() == database.Postgres {
			names, columns = postgresTables, postgresColumns
		}
		for _, row := range query(t, q, names, []column{{kind: "text"}}) {
			if name := row[0].(string); name != "goose_db_version" {
				all = append(all, table{name: name})
			}
		}
		for i := range all {
			text := column{kind: "text"}
			for _, row := range query(t, q, columns, []column{text, text, text}, all[i].name) {
				all[i].columns = append(all[i].columns, column{row[0].(string), kindOf(t, row[1].(string)), row[2] == "YES"})
			}
			all[i].rows = query(t, q, "SELECT "+all[i].list()+" FROM "+all[i].name, all[i].columns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func kindOf(t *testing.T, kind string) string {
	t.Helper()
	known := map[string]string{"bigint": "integer", "bytea": "blob", "integer": "integer", "blob": "blob", "text": "text", "boolean": "boolean"}
	if known[kind] == "" {
		t.Fatalf("unknown type of a column: %s", kind)
	}
	return known[kind]
}

func (tb table) list() string {
	var names []string
	for _, c := range tb.columns {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func query(t *testing.T, q *database.Query, sql string, columns []column, args ...any) (all [][]any) {
	t.Helper()
	rows, err := q.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row, scan := make([]any, len(columns)), make([]any, len(columns))
		for i, c := range columns {
			scan[i] = map[string]any{"text": new(string), "integer": new(int64), "boolean": new(bool), "blob": new([]byte)}[c.kind]
		}
		if err := rows.Scan(scan...); err != nil {
			t.Fatal(err)
		}
		for i := range scan {
			row[i] = valueOf(scan[i], columns[i].nullable)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// valueOf takes empty bytes for NULL, as the store does, where NULL may be.
func valueOf(scanned any, nullable bool) any {
	switch v := scanned.(type) {
	case *string:
		return *v
	case *int64:
		return *v
	case *bool:
		return *v
	case *[]byte:
		if len(*v) > 0 {
			return *v
		}
		if !nullable {
			return []byte{}
		}
	}
	return nil
}

// restore puts all tables back to what they were.
func restore(ctx context.Context, db *database.DB, tables []table) error {
	return db.Write(ctx, func(tx *database.Tx) error {
		for _, tb := range tables {
			if _, err := tx.Exec(ctx, "DELETE FROM "+tb.name); err != nil {
				return err
			}
			var places []string
			for i := range tb.columns {
				places = append(places, fmt.Sprintf("$%d", i+1))
			}
			insert := "INSERT INTO " + tb.name + " (" + tb.list() + ") VALUES (" + strings.Join(places, ", ") + ")"
			if _, err := tx.ExecMany(ctx, insert, tb.rows); err != nil {
				return err
			}
		}
		return nil
	})
}

// others returns plausible values that a cell might be changed to by hand.
func (tb table) others(row, col int) (values []any) {
	old := tb.rows[row][col]
	add := func(v any) {
		same := func(w any) bool { return fmt.Sprint(v) == fmt.Sprint(w) }
		if !same(old) && !slices.ContainsFunc(values, same) {
			values = append(values, v)
		}
	}
	switch v := old.(type) {
	case int64:
		add(v + 1)
		add(v - 1)
		add(int64(0))
	case bool:
		add(!v)
	case string:
		add("development.netget.internal")
		add("spiffe://production.netget.internal/billing/nobody")
	case []byte:
		flipped := append(bytes.Clone(v), 1)
		flipped[len(v)/2] ^= 1
		add(flipped[:max(1, len(v))])
	}
	for _, other := range tb.rows {
		if len(values) < 4 && other[col] != nil {
			add(other[col])
		}
	}
	if tb.columns[col].nullable {
		add(nil)
	}
	return values
}

// with returns the table with one row edited; nil removes it.
func (tb table) with(row int, edit func([]any)) table {
	tb.rows = slices.Clone(tb.rows)
	if edit == nil {
		tb.rows = slices.Delete(tb.rows, row, row+1)
		return tb
	}
	tb.rows[row] = slices.Clone(tb.rows[row])
	edit(tb.rows[row])
	return tb
}
