// Package database opens a store, embedded SQLite or PostgreSQL, behind one
// small set of operations: read a snapshot, write a transaction.
//
// Both engines are given the same SQL text: "$1" placeholders, times as BIGINT,
// blobs, ON CONFLICT, RETURNING. Results are scanned into *int64, *string,
// *[]byte, *bool, or a pointer to one of these pointers where a column may be
// NULL. NULL and the empty blob both come back as bytes of length 0. No type of
// an engine leaves this package.
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"
)

// The longest that one transaction may take, all retries apart. A read can be
// the loading of a whole store, which its caller verifies row by row.
const (
	readLimit  = 5 * time.Minute
	writeLimit = 30 * time.Second
)

// The engines, as [DB.Engine] and [Config].Migrations name them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// A Moment is a place in a write transaction where [Config].Hook is called.
type Moment int

// The moments of a write transaction.
const (
	_ Moment = iota
	// BeforeCommit is when all statements have run and nothing is durable. An
	// error of the hook undoes the transaction.
	BeforeCommit
	// AfterCommit is when the transaction is durable. An error of the hook is
	// what the writer hears, although the write has happened.
	AfterCommit
)

// A Config says which store to open.
type Config struct {
	// URL is sqlite:///absolute/path or postgres://user@host/database, with the
	// parameters of libpq and of pgxpool (pool_max_conns).
	URL string
	// Migrations returns the goose files for an engine at the top of a file
	// system, as migrations.Registry and migrations.CA do.
	Migrations func(engine string) fs.FS
	// Logger hears about applied migrations and retries; nil for none.
	Logger *slog.Logger
	// Hook, for tests of faults, is called in every write transaction; it is
	// called by several goroutines at once. Nil for none.
	Hook func(Moment) error
}

// A DB is an open store. Its methods may be called concurrently.
type DB struct {
	name   string
	engine engine
	log    *slog.Logger
	hook   func(Moment) error

	mu      sync.Mutex // guards closed, and running.Add against Close
	closed  bool
	running sync.WaitGroup
}

// Open opens the store of cfg, creates it if it is an SQLite file that does not
// exist, checks it, and migrates it to the newest version the program knows.
// Processes that start together on one PostgreSQL migrate one after the other.
//
// It returns an error that wraps [ErrURL], [ErrLocked], [ErrLinked], [ErrCorrupt],
// [ErrReadOnly], [ErrFull], [ErrMoved], [ErrUnavailable] or [ErrNewer] if that is
// why.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Migrations == nil {
		return nil, errors.New("opening the database: no migrations configured")
	}
	target, err := parseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	db := &DB{name: target.engine, log: cfg.Logger, hook: cfg.Hook}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.hook == nil {
		db.hook = func(Moment) error { return nil }
	}
	if db.engine, err = target.open(ctx); err != nil {
		return nil, fmt.Errorf("opening the database %s: %w", target.shown, err)
	}
	if err := migrate(ctx, db.engine, cfg.Migrations(db.name), db.log); err != nil {
		return nil, errors.Join(fmt.Errorf("migrating the database %s: %w", target.shown, db.engine.class(err)), db.Close())
	}
	return db, nil
}

// Engine returns [SQLite] or [Postgres].
func (db *DB) Engine() string { return db.name }

// Close waits for the transactions that run, refuses new ones with [ErrClosed],
// and gives the file or the connections back. It may be called twice.
func (db *DB) Close() error {
	db.mu.Lock()
	already := db.closed
	db.closed = true
	db.mu.Unlock()
	if already {
		return nil
	}
	db.running.Wait()
	if err := db.engine.close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// Read calls fn with a snapshot: all its queries see the same committed state.
// It returns fn's error, or an error that wraps [ErrUnavailable], [ErrCorrupt],
// [ErrMoved] or [ErrClosed].
func (db *DB) Read(ctx context.Context, fn func(q *Query) error) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.running.Done()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	s, err := db.engine.begin(ctx, false)
	if err != nil {
		return fmt.Errorf("beginning to read: %w", db.engine.class(err))
	}
	defer s.rollback(ctx)
	return fn(newQuery(ctx, s, db.engine))
}

func (db *DB) enter() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	db.running.Add(1)
	return nil
}

// An engine is SQLite or PostgreSQL.
type engine interface {
	// begin starts a transaction on a snapshot of what is committed.
	begin(ctx context.Context, writing bool) (session, error)
	// class wraps err, once, with the sentinel that says what it means.
	class(err error) error
	// again says whether a transaction that was not committed because of err
	// may succeed when it is run again.
	again(err error) bool
	migrator() (migrator, error)
	close() error
}

// A session is one transaction.
type session interface {
	exec(ctx context.Context, sql string, args []any) (int64, error)
	execMany(ctx context.Context, sql string, rows [][]any) (int64, error)
	query(ctx context.Context, sql string, args []any) (rows, func(), error)
	// commit makes the transaction durable. Its error wraps ErrInDoubt if it
	// cannot know whether it did.
	commit(ctx context.Context) error
	// rollback ends the transaction; after commit it does nothing.
	rollback(ctx context.Context)
}

type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}
