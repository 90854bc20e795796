package database

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// A target is a URL that was understood.
type target struct {
	engine string
	shown  string // for messages, without a password
	open   func(ctx context.Context) (engine, error)
}

// URL returns the store URL of the SQLite file at path, which must be absolute.
func URL(path string) string {
	return (&url.URL{Scheme: SQLite, Path: filepath.ToSlash(path)}).String()
}

func parseURL(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil { // its text repeats parts of the URL, which may hold a password
		return target{}, fmt.Errorf("%w: it does not parse; write / in a password as %%2F", ErrURL)
	}
	switch u.Scheme {
	case SQLite:
		return parseSQLite(u)
	case Postgres, "postgresql":
		return parsePostgres(u)
	case "":
		return target{}, fmt.Errorf("%w: no scheme; write sqlite:///path/file.db or postgres://host/name", ErrURL)
	default:
		return target{}, fmt.Errorf("%w: unknown scheme %q; write sqlite:///path/file.db or postgres://host/name", ErrURL, u.Scheme)
	}
}

func parseSQLite(u *url.URL) (target, error) {
	if u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") {
		return target{}, fmt.Errorf("%w: the path of an SQLite file is absolute, with three slashes: sqlite:///path/file.db", ErrURL)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return target{}, fmt.Errorf("%w: an SQLite URL takes no parameters; write ? as %%3F and # as %%23 in a path", ErrURL)
	}
	if last := path.Base(u.Path); strings.HasSuffix(u.Path, "/") || last == "." || last == ".." || strings.ContainsRune(u.Path, 0) {
		return target{}, fmt.Errorf("%w: %q does not name a file", ErrURL, u.Path)
	}
	file := filepath.Clean(u.Path)
	return target{
		engine: SQLite,
		shown:  file,
		open:   func(ctx context.Context) (engine, error) { return openSQLite(ctx, file) },
	}, nil
}

func parsePostgres(u *url.URL) (target, error) {
	cfg, err := poolConfig(u)
	if err != nil {
		return target{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	return target{
		engine: Postgres,
		shown:  shownPostgres(u),
		open:   func(ctx context.Context) (engine, error) { return openPostgres(ctx, cfg) },
	}, nil
}

// shownPostgres returns what errors and logs may tell of a URL: no password, and
// no parameters, which may be one.
func shownPostgres(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	return shown.String()
}
