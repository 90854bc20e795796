package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry/catalog"
)

const pageSize = 4096

// Files of a store as they lie on the disk.
type files struct{ db, wal []byte }

// read returns the files of a store, also of one that is in use.
func read(t *testing.T, path string) (f files) {
	t.Helper()
	var err, errLog error
	f.db, err = os.ReadFile(path)
	f.wal, errLog = os.ReadFile(path + "-wal")
	if err != nil || errLog != nil && !errors.Is(errLog, fs.ErrNotExist) {
		t.Fatal(err, errLog)
	}
	return f
}

// newDamaged returns a store's files as a crash would leave them, and as its end
// does.
func newDamaged(t *testing.T) (w *tampered, crashed, ended files) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "registry.db")
	w = newTampered(t, database.URL(path), "tampered", "r-1", filepath.Join(dir, "head.json"))
	crashed = read(t, path)
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	return w, crashed, read(t, path)
}

// start puts files into a folder of their own and starts a registry on them.
func (w *tampered) start(t *testing.T, f files) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registry.db")
	if err := os.WriteFile(path, f.db, 0o600); err != nil {
		t.Fatal(err)
	}
	if len(f.wal) > 0 {
		if err := os.WriteFile(path+"-wal", f.wal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := database.Open(t.Context(), database.Config{URL: database.URL(path), Migrations: migrations.Registry})
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }() // it may be damaged
	w.db = db
	return w.open(t)
}

// isNoticed reports whether an error says what is wrong with damaged files: they
// are corrupt, or end before the newest version that was signed.
func isNoticed(err error) bool {
	_, floor := errors.AsType[*catalog.FloorError](err)
	return floor || namesWhatIsWrong(err)
}

func TestDamagedPagesAreNoticedOrWithoutEffect(t *testing.T) {
	w, crashed, ended := newDamaged(t)
	noticed, harmless := 0, 0
	judge := func(what string, f files) {
		state, err := w.start(t, f)
		switch {
		case err != nil && !isNoticed(err):
			t.Errorf("%s: got %v, want an error that says that the store cannot be believed", what, err)
		case err != nil:
			noticed++
		case state != w.state:
			t.Errorf("%s: served as\n%s\nwant\n%s", what, state, w.state)
		default:
			harmless++
		}
	}
	for page := range len(ended.db) / pageSize {
		for _, at := range []int{0, 40, 1500, pageSize - 60} {
			f := files{db: flipped(ended.db, page*pageSize+at)}
			judge(fmt.Sprintf("page %d, byte %d", page+1, at), f)
		}
		judge(fmt.Sprintf("page %d full of zeros", page+1), files{db: zeroed(ended.db, page)})
		judge(fmt.Sprintf("cut off before page %d", page+1), files{db: ended.db[:page*pageSize]})
		judge(fmt.Sprintf("cut off within page %d", page+1), files{db: ended.db[:page*pageSize+pageSize/2]})
	}
	for at := 40; at < len(crashed.wal); at += 7001 {
		judge(fmt.Sprintf("write-ahead log, byte %d", at), files{crashed.db, flipped(crashed.wal, at)})
		judge(fmt.Sprintf("write-ahead log cut off at byte %d", at), files{crashed.db, crashed.wal[:at]})
	}
	judge("a write-ahead log of nothing", files{db: crashed.db})
	judge("no database", files{db: bytes.Repeat([]byte("no database "), 1000)})
	if noticed < 10*harmless/3 {
		t.Errorf("of the damages %d were noticed, %d without effect: most of the file must matter", noticed, harmless)
	}
	t.Logf("%d noticed, %d without effect", noticed, harmless)
}

// flipped returns content with some bytes inverted.
func flipped(content []byte, at int) []byte {
	content = bytes.Clone(content)
	for i := at; i < min(at+8, len(content)); i++ {
		content[i] = ^content[i]
	}
	return content
}

func zeroed(content []byte, page int) []byte {
	content = bytes.Clone(content)
	clear(content[page*pageSize : (page+1)*pageSize])
	return content
}

// TestCrashedFilesAreWhole shows that what the damages are compared with is a
// store that a registry starts on.
func TestCrashedFilesAreWhole(t *testing.T) {
	w, crashed, ended := newDamaged(t)
	for name, f := range map[string]files{"crashed": crashed, "ended": ended} {
		if state, err := w.start(t, f); err != nil || state != w.state {
			t.Errorf("%s: got %q, %v", name, state, err)
		}
	}
}

// TestTablesChangedByHand is about what the migrations keep, and the tables
// themselves.
func TestTablesChangedByHand(t *testing.T) {
	for what, tt := range map[string]struct {
		sql  string
		want error
	}{
		"a migration that is forgotten":      {`DELETE FROM goose_db_version WHERE version_id = 1`, database.ErrCorrupt},
		"all migrations are forgotten":       {`DROP TABLE goose_db_version`, database.ErrCorrupt},
		"a migration of a newer program":     {`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`, database.ErrNewer},
		"a table that is not there":          {`DROP TABLE beat`, database.ErrCorrupt},
		"a table that has a column too few":  {`ALTER TABLE beat DROP COLUMN token`, database.ErrCorrupt},
		"a column that holds something else": {`ALTER TABLE beat RENAME COLUMN token TO word`, database.ErrCorrupt},
	} {
		t.Run(what, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				t.Helper()
				w := newTampered(t, url, "tampered", "r-1", "")
				if tt.sql == `ALTER TABLE beat DROP COLUMN token` && w.db.Engine() == database.SQLite {
					return // SQLite does not drop a column that has a CHECK
				}
				pragma(t, w.db, tt.sql)
				if err := w.db.Close(); err != nil {
					t.Fatal(err)
				}
				db, err := database.Open(t.Context(), database.Config{URL: url, Migrations: migrations.Registry})
				if err == nil {
					w.db = db
					_, err = w.open(t)
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				}
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}
