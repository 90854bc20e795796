package database_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

func TestBadURLsAreRefused(t *testing.T) {
	for _, url := range []string{
		"",
		"registry.db",
		"/var/lib/netget/registry.db",
		"sqlite:registry.db",
		"sqlite://registry.db",
		"sqlite://./registry.db",
		"sqlite:///folder/",
		"sqlite:///", "sqlite:///etc",
		"sqlite:///.", "sqlite:///folder/..",
		"sqlite:///a.db?mode=ro",
		"sqlite:///a.db#x",
		"sqlite:///a%00b.db",
		"mysql://host/name",
		"postgres://user:secret@host:port/name",
		"postgres://user:secret@%zz/name",
		"postgres://user:secret@host/name?pool_max_conns=none",
		"postgres://user@host/name?password=secret&pool_max_conns=none",
		"postgres://user@host/name?password=secret%zz",
		"postgres://user@host/name?a=b?p%61ssword=secret",
		"postgres://user:secret@host/name?default_query_exec_mode=simple_protocol",
	} {
		_, err := database.Open(t.Context(), database.Config{URL: url, Migrations: files(items)})
		if !errors.Is(err, database.ErrURL) {
			t.Errorf("%q: got %v, want %v", url, err, database.ErrURL)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells the password: %v", url, err)
		}
	}
}
