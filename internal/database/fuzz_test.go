package database_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

// FuzzURL reads store URLs. A password is told to nobody, whatever is wrong with
// the rest; an SQLite URL names the file that it seems to name.
func FuzzURL(f *testing.F) {
	for _, text := range []string{
		"sqlite:///var/lib/netget/registry.db", "sqlite:///a%20b.db", "sqlite:///a/../b.db", "sqlite:///a.db?mode=ro", "sqlite:///a%00b.db",
		"postgres://user@host/name", "postgresql://host:5432/name?sslmode=disable", "postgres://host/name?pool_max_conns=3", "postgres://a,b/name", "mysql://x", "", "registry.db", "postgres://%zz", "postgres:///name?host=/run", "postgres://h/n?%zz", "postgres://h:port/n",
	} {
		f.Add(text, "s3cr3tw0rd")
		f.Add(text, "s3cr3t/w0rd")
	}
	f.Fuzz(func(t *testing.T, text, password string) {
		engine, shown, err := database.ParseURL(text)
		if err != nil && !errors.Is(err, database.ErrURL) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && engine == database.SQLite {
			checkFile(t, text, shown)
		}
		scheme, rest, found := strings.Cut(text, "://")
		if len(password) < 8 || !found || scheme != "postgres" || strings.Contains(text, password) || strings.ContainsAny(rest, "@") {
			return
		}
		for _, secret := range []string{"user:" + password + "@" + rest, "user@" + rest + "?password=" + password, ":" + url.QueryEscape(password) + "@" + rest} {
			_, shown, err := database.ParseURL("postgres://" + secret)
			if strings.Contains(shown, password) || err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("postgres://%s shows its password: %s, %v", secret, shown, err)
			}
		}
	})
}

func checkFile(t *testing.T, text, shown string) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil || !filepath.IsAbs(shown) || shown != filepath.Clean(u.Path) || strings.ContainsRune(shown, 0) || u.RawQuery != "" || u.Host != "" {
		t.Errorf("%q names %q, %v", text, shown, err)
	}
	if engine, again, err := database.ParseURL(database.URL(shown)); err != nil || again != shown || engine != database.SQLite {
		t.Errorf("%q names %q, and that %q, %v", text, shown, again, err)
	}
}
