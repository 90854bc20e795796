package database

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// How long a process waits for another one's migration: seconds between looks,
// and looks.
const (
	migrateInterval = 1
	migrateLooks    = 300
)

// A migrator is what goose needs to know of an engine.
type migrator struct {
	dialect goose.Dialect
	db      *sql.DB
	options []goose.ProviderOption
	done    func() error
}

func (db *sqliteDB) migrator() (migrator, error) {
	return migrator{dialect: goose.DialectSQLite3, db: db.writer, done: func() error { return nil }}, nil
}

func (db *postgresDB) migrator() (migrator, error) {
	session, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrateInterval, migrateLooks))
	if err != nil {
		return migrator{}, fmt.Errorf("making the session lock: %w", err)
	}
	pool := stdlib.OpenDBFromPool(db.pool)
	return migrator{
		dialect: goose.DialectPostgres,
		db:      pool,
		options: []goose.ProviderOption{goose.WithSessionLocker(session)},
		done:    pool.Close,
	}, nil
}

// migrate brings the store to the newest version in files.
func migrate(ctx context.Context, e engine, files fs.FS, log *slog.Logger) (err error) {
	m, err := e.migrator()
	if err != nil {
		return err
	}
	defer func() {
		if errDone := m.done(); err == nil {
			err = errDone
		}
	}()
	options := append(m.options, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(m.dialect, m.db, files, options...)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	return up(ctx, provider, log)
}

// up looks for a newer version afterwards: goose applies nothing to a store
// that has more than it knows, and the lock is taken by Up alone.
func up(ctx context.Context, provider *goose.Provider, log *slog.Logger) error {
	applied, err := provider.Up(ctx)
	for _, one := range applied {
		log.LogAttrs(ctx, slog.LevelInfo, "database migrated",
			slog.Int64("version", one.Source.Version), slog.Duration("took", one.Duration))
	}
	if err != nil {
		return named(ctx, provider, err)
	}
	has, knows, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version: %w", err)
	}
	if has > knows {
		return fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, has, knows)
	}
	return nil
}

// named says that the store is corrupt if it knows of a migration but not of one
// before it, which no program of ours leaves behind. goose's error has no type.
func named(ctx context.Context, provider *goose.Provider, err error) error {
	all, errStatus := provider.Status(ctx)
	if errStatus != nil {
		return err
	}
	for i := 1; i < len(all); i++ { // by rising version
		if all[i].State == goose.StateApplied && all[i-1].State == goose.StatePending {
			return wrap(ErrCorrupt, err)
		}
	}
	return err
}
