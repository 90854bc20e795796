package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

func TestFilesAreTheOwnersAlone(t *testing.T) {
	old := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(old) })
	path := filepath.Join(t.TempDir(), "new folder", "a?b#c%20.db")
	db := open(t, database.Config{URL: database.URL(path)})
	if err := db.Write(t.Context(), add(t.Context(), "a", nil)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700 | os.ModeDir, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != want {
			t.Errorf("%s: got %v, want %v", name, info.Mode(), want)
		}
	}
}

// holderEnv makes the test binary the process that holds a store.
const holderEnv = "NETGET_TEST_HOLD"

func TestMain(m *testing.M) {
	if url := os.Getenv(holderEnv); url != "" {
		fmt.Fprintln(os.Stderr, hold(context.Background(), url))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestSecondProcessIsRefused also kills the first one, as a crash would, amid
// a transaction that is never acknowledged.
func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	url := database.URL(path)
	first := osexec.Command(os.Args[0])
	first.Env = append(os.Environ(), holderEnv+"="+url)
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Process.Kill() })
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatalf("waiting for the first process: %v", err)
	}
	_, err = database.Open(t.Context(), database.Config{URL: url, Migrations: files(items)})
	if !errors.Is(err, database.ErrLocked) {
		t.Fatalf("a second process: got %v, want %v", err, database.ErrLocked)
	}
	for _, part := range []string{path, fmt.Sprintf("process %d", first.Process.Pid), path + ".lock"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if n := count(t, open(t, database.Config{URL: url})); n != 1 {
		t.Errorf("after the first was killed: got %d rows, want the acknowledged one", n)
	}
}

// hold writes one row, says so, and is in the middle of writing another one
// until it is killed.
func hold(ctx context.Context, url string) error {
	db, err := database.Open(ctx, database.Config{URL: url, Migrations: files(items)})
	if err != nil {
		return err
	}
	if err := db.Write(ctx, add(ctx, "acknowledged", nil)); err != nil {
		return err
	}
	return db.Write(ctx, func(tx *database.Tx) error {
		if err := add(ctx, "never", nil)(tx); err != nil {
			return err
		}
		if _, err := os.Stdout.WriteString("ready\n"); err != nil {
			return err
		}
		select {}
	})
}

func TestSameProcessIsRefusedToo(t *testing.T) {
	url := database.URL(filepath.Join(t.TempDir(), "a.db"))
	open(t, database.Config{URL: url})
	_, err := database.Open(t.Context(), database.Config{URL: url, Migrations: files(items)})
	if !errors.Is(err, database.ErrLocked) {
		t.Errorf("got %v, want %v", err, database.ErrLocked)
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	db := open(t, database.Config{URL: database.URL(good)})
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		for i := range 200 {
			if err := add(t.Context(), fmt.Sprint(i), bytes.Repeat([]byte{1}, 1000))(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"no database":    bytes.Repeat([]byte("no database "), 1000),
		"a lost page":    append(append(bytes.Clone(content[:5*4096]), make([]byte, 4096)...), content[6*4096:]...),
		"a torn ending":  content[:len(content)/2],
		"a broken start": append(make([]byte, 50), content[50:]...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".db")
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := database.Open(t.Context(), database.Config{URL: database.URL(path), Migrations: files(items)})
			if !errors.Is(err, database.ErrCorrupt) {
				t.Errorf("got %v, want %v", err, database.ErrCorrupt)
			}
		})
	}
}

func TestFullAndReadOnly(t *testing.T) {
	for _, row := range []struct {
		pragma string
		want   error
	}{
		{"PRAGMA max_page_count = 1", database.ErrFull},
		{"PRAGMA query_only = 1", database.ErrReadOnly},
	} {
		db := open(t, database.Config{URL: database.URL(filepath.Join(t.TempDir(), "a.db"))})
		ctx := t.Context()
		err := db.Write(ctx, func(tx *database.Tx) error {
			if _, err := tx.Exec(ctx, row.pragma); err != nil {
				return err
			}
			return add(t.Context(), "a", bytes.Repeat([]byte{1}, 100_000))(tx)
		})
		if !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.pragma, err, row.want)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%s: got %d rows, want 0", row.pragma, n)
		}
	}
}

// Whatever was taken away, replaced or cut off under the open store, nothing is
// written any more before the very same file is back.
func TestFilesThatAreNotInTheirPlace(t *testing.T) {
	for name, suffix := range map[string]string{"the file": "", "the write-ahead log": "-wal"} {
		path := filepath.Join(t.TempDir(), "a.db")
		db := open(t, database.Config{URL: database.URL(path)})
		write := func(row string) error { return db.Write(t.Context(), add(t.Context(), row, nil)) }
		wants := func(what string, want error) {
			t.Helper()
			if err := write(what); !errors.Is(err, want) {
				t.Errorf("%s was %s: got %v, want %v", name, what, err, want)
			}
		}
		aside := path + ".aside"
		wants("there", nil)
		must(t, os.Rename(path+suffix, aside))
		wants("moved", database.ErrMoved)
		if err := db.Read(t.Context(), func(*database.Query) error { return nil }); !errors.Is(err, database.ErrMoved) {
			t.Errorf("%s was moved, reading: got %v, want %v", name, err, database.ErrMoved)
		}
		content, err := os.ReadFile(aside)
		must(t, errors.Join(err, os.WriteFile(path+suffix, content, 0o600)))
		wants("copied", database.ErrMoved)
		must(t, os.Rename(aside, path+suffix))
		wants("put back", nil)
		if n := count(t, db); n != 2 {
			t.Errorf("%s: %d rows, want 2", name, n)
		}
		must(t, os.Truncate(path+suffix, 100))
		wants("cut off", database.ErrMoved)
		must(t, os.WriteFile(path+suffix, content, 0o600)) // for the end of the store
	}
}

// A commit after which the file is gone is in doubt: nobody may rely on it.
func TestCommitIntoAFileThatGoesIsInDoubt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var armed bool
	db := open(t, database.Config{URL: database.URL(path), Hook: func(m database.Moment) error {
		if armed && m == database.BeforeCommit {
			return os.Rename(path, path+".aside")
		}
		return nil
	}})
	armed = true
	err := db.Write(t.Context(), add(t.Context(), "a", nil))
	armed = false
	if !errors.Is(err, database.ErrInDoubt) || !errors.Is(err, database.ErrMoved) {
		t.Errorf("got %v, want %v of a file that moved", err, database.ErrInDoubt)
	}
	must(t, os.Rename(path+".aside", path))
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
