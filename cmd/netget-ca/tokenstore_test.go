package main_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to look into the authority's store beside it
)

// certificates counts those of a node in the inventory, unfinished ones too.
func (a *tokenAuthority) certificates(t *testing.T, node string) (n int) {
	t.Helper()
	db := a.open(t)
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM certificates WHERE node = ?`, node).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// open reads the store beside the running authority.
func (a *tokenAuthority) open(t *testing.T) *sql.DB {
	t.Helper()
	dsn := url.URL{Scheme: "file", Path: filepath.Join(a.home, "ca", "ca.db"), RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// rows returns every row of every table as text.
func (a *tokenAuthority) rows(t *testing.T) []string {
	t.Helper()
	db := a.open(t)
	defer func() { _ = db.Close() }()
	var all []string
	for _, table := range texts(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		columns := texts(t, db, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+table+`') ORDER BY cid`)
		for _, row := range texts(t, db, `SELECT `+strings.Join(columns, ` || ',' || `)+` FROM "`+table+`" ORDER BY 1`) {
			all = append(all, table+": "+row)
		}
	}
	return all
}

// texts returns the one column of a query.
func texts(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// files returns all files of the authority: size and hash of each. The shared
// index of SQLite's log counts its readers, and the audit log tells of refusals,
// so they are left out.
func (a *tokenAuthority) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	dir := filepath.Join(a.home, "ca")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "audit.jsonl") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		all[name] = fmt.Sprintf("%d bytes, %x", len(text), sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
