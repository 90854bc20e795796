package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What every connection is set to. FULL makes a commit durable before it
// returns; a WAL file that a burst made large is cut back.
const (
	common   = "_dqs=0&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"
	toWrite  = common + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=journal_size_limit(67108864)&_txlock=immediate"
	toRead   = common + "&_pragma=query_only(1)"
	minReads = 4

	walLimit = 67_108_864 // bytes, as in toWrite
)

// sqliteDB is one writing connection, a pool of reading ones, and the lock.
type sqliteDB struct {
	writer, readers *sql.DB
	anchor          *sql.Conn // of the readers: keeps the write-ahead log in its place
	files           []*openFile
	lock            *os.File
}

func openSQLite(ctx context.Context, path string) (engine, error) {
	if err := privateFolder(path); err != nil {
		return nil, err
	}
	path, err := realFile(path)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	db := &sqliteDB{lock: lock}
	if err := db.open(ctx, path); err != nil {
		return nil, errors.Join(db.class(err), db.close())
	}
	return db, nil
}

func (db *sqliteDB) open(ctx context.Context, path string) error {
	if err := oneName(path); err != nil { // again: it may have got another until the lock was taken
		return err
	}
	if err := privateFile(path); err != nil {
		return err
	}
	var err error
	if db.writer, err = sqlitePool(path, toWrite, 1); err != nil {
		return err
	}
	if db.readers, err = sqlitePool(path, toRead, 1+max(minReads, runtime.NumCPU())); err != nil {
		return err
	}
	if err := db.check(ctx); err != nil {
		return err
	}
	return db.hold(ctx, path)
}

func sqlitePool(path, settings string, size int) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: settings}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("configuring SQLite: %w", err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool, nil
}

// check refuses a damaged file before anything is read from it, and a file
// system on which SQLite silently did without its write-ahead log.
func (db *sqliteDB) check(ctx context.Context) error {
	var mode, result string
	if err := db.writer.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("reading the journal mode: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("the journal mode is %s, want wal: SQLite needs a local file system", mode)
	}
	if err := db.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("checking the file: %w", err)
	}
	if result != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, result)
	}
	return nil
}

func (db *sqliteDB) begin(ctx context.Context, writing bool) (session, error) {
	if err := db.inPlace(); err != nil {
		return nil, err
	}
	pool := db.readers
	if writing {
		pool = db.writer
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return sqliteTx{tx, db.inPlace}, nil
}

// close ends the readers first: the last connection, the writer's, folds the
// write-ahead log back into the file.
func (db *sqliteDB) close() error {
	var errs []error
	if db.anchor != nil {
		errs = append(errs, db.anchor.Close())
	}
	if db.readers != nil {
		errs = append(errs, db.readers.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	return errors.Join(append(errs, db.lock.Close())...)
}

// again is false: the lock file and the one writer keep others out, and a busy
// file was waited for already.
func (*sqliteDB) again(error) bool { return false }

func (*sqliteDB) class(err error) error {
	if code, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteClass(code.Code(), err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return wrap(ErrUnavailable, err)
	}
	return err
}

func sqliteClass(code int, err error) error {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return wrap(ErrUnique, err)
	}
	switch code & 0xff { // extended codes keep their primary code here
	case sqlite3.SQLITE_FULL:
		return wrap(ErrFull, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return wrap(ErrReadOnly, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_ERROR: // our statements are right, so the tables or the file's format are somebody else's
		return wrap(ErrCorrupt, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return wrap(ErrUnavailable, err)
	default:
		return err
	}
}
