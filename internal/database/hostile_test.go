package database_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
)

func TestErrorsTellNoPassword(t *testing.T) {
	for _, url := range []string{
		"postgres://u@127.0.0.1:1/db?password=hunter2secret&sslmode=disable",
		"postgres://u:hunter2secret/x@127.0.0.1/db",
		"postgres://u@127.0.0.1:1/db?password=hunter2secret&nonsense_pool=%zz",
		"postgres://u:hunter2secret@127.0.0.1:1/db?sslmode=bogus",
	} {
		_, err := database.Open(t.Context(), database.Config{URL: url, Migrations: migrations.Registry})
		if err == nil || strings.Contains(err.Error(), "hunter2secret") {
			t.Errorf("got %v, want an error without the password", err)
		}
	}
}

func TestLockFileIsNoLink(t *testing.T) {
	victim, dir := filepath.Join(t.TempDir(), "authorized_keys"), t.TempDir()
	if err := os.WriteFile(victim, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "registry.db")
	if err := os.Symlink(victim, path+".lock"); err != nil {
		t.Fatal(err)
	}
	_, err := database.Open(t.Context(), database.Config{URL: database.URL(path), Migrations: migrations.Registry})
	if !errors.Is(err, database.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "precious\n" {
		t.Errorf("opening a store has changed another file to %q, %v", text, err)
	}
}
