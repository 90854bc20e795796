package database_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

func openAt(t *testing.T, path string) (*database.DB, error) {
	t.Helper()
	return database.Open(t.Context(), database.Config{URL: database.URL(path), Migrations: files(items)})
}

// TestSecondNameOfTheStoreIsRefused gives a store that is open another name, by
// which a second process would find no lock.
func TestSecondNameOfTheStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "registry.db"), filepath.Join(dir, "other.db")
	db := open(t, database.Config{URL: database.URL(path), Migrations: files(items)})
	if err := os.Link(path, other); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, other); !errors.Is(err, database.ErrLinked) || !strings.Contains(err.Error(), other) {
		t.Errorf("by its second name: got %v, want ErrLinked and %s", err, other)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), add(t.Context(), "a", nil)); err != nil {
		t.Errorf("writing by the first name: %v", err)
	}
}

// TestLinkLeadsToOneStore opens a store by a link to its file and by one to its
// folder: they share one lock, and all files lie beside the real one.
func TestLinkLeadsToOneStore(t *testing.T) {
	dir, links := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "registry.db")
	byFile, byFolder := filepath.Join(links, "sl.db"), filepath.Join(links, "folder")
	if err := errors.Join(os.Symlink(dir, byFolder), os.WriteFile(path, nil, 0o600), os.Symlink(path, byFile)); err != nil {
		t.Fatal(err)
	}
	db, err := openAt(t, byFile)
	if err != nil {
		t.Fatalf("by a link to the file: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, name := range []string{path, byFile, filepath.Join(byFolder, "registry.db")} {
		if _, err := openAt(t, name); !errors.Is(err, database.ErrLocked) {
			t.Errorf("%s: got %v, want ErrLocked", name, err)
		}
	}
	if _, err := os.Stat(byFile + ".lock"); err == nil {
		t.Error("the lock lies beside the link")
	}
}

func TestStoreIsARegularFile(t *testing.T) {
	dir := t.TempDir()
	pipe, dangling := filepath.Join(dir, "pipe"), filepath.Join(dir, "dangling")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Chmod(pipe, 0o644), os.Symlink(filepath.Join(dir, "none"), dangling)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dangling} {
		if _, err := openAt(t, path); !errors.Is(err, database.ErrURL) || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: got %v, want ErrURL", path, err)
		}
		if _, err := os.Stat(path + ".lock"); err == nil {
			t.Errorf("%s has a lock now", path)
		}
	}
	if st, err := os.Stat(pipe); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("the pipe has mode %v now, %v", st.Mode(), err)
	}
}
