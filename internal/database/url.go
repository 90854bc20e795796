package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
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
	if err != nil { // its text repeats the URL, which may hold a password
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return target{}, fmt.Errorf("%w: %w", ErrURL, err)
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
	if strings.HasSuffix(u.Path, "/") || strings.ContainsRune(u.Path, 0) {
		return target{}, fmt.Errorf("%w: %q does not name a file", ErrURL, u.Path)
	}
	path := filepath.Clean(u.Path)
	return target{
		engine: SQLite,
		shown:  path,
		open:   func(ctx context.Context) (engine, error) { return openSQLite(ctx, path) },
	}, nil
}

func parsePostgres(u *url.URL) (target, error) {
	cfg, err := poolConfig(u)
	if err != nil {
		return target{}, fmt.Errorf("%w: %w", ErrURL, err)
	}
	return target{
		engine: Postgres,
		shown:  u.Redacted(),
		open:   func(ctx context.Context) (engine, error) { return openPostgres(ctx, cfg) },
	}, nil
}
