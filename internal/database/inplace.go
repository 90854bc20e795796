package database

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
)

// An openFile is a file as it was when the store was opened. SQLite never makes
// one shorter, but for a write-ahead log beyond its limit.
type openFile struct {
	path  string
	info  os.FileInfo
	least atomic.Int64 // bytes, the most seen so far
}

// hold notes which files were opened. The anchor keeps SQLite from ever
// removing the write-ahead log and making another one, as it does when its last
// connection closes.
func (db *sqliteDB) hold(ctx context.Context, path string) (err error) {
	if db.anchor, err = db.readers.Conn(ctx); err != nil {
		return fmt.Errorf("holding the file open: %w", err)
	}
	var tables int64
	if err := db.anchor.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("holding the file open: %w", err)
	}
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name) //nolint:gosec // the operator's own path
		if err != nil {
			return fileError(err)
		}
		db.files = append(db.files, &openFile{path: name, info: info})
	}
	return nil
}

// inPlace reports whether whoever opens the store next finds the files that
// this process writes. SQLite does not ask: it would go on in a file that has
// no name any more, and everything written there is gone when it closes.
func (db *sqliteDB) inPlace() error {
	for _, f := range db.files {
		if err := f.inPlace(); err != nil {
			return err
		}
	}
	return nil
}

func (f *openFile) inPlace() error {
	least := f.least.Load() // before the look: meanwhile others may see more
	now, err := os.Stat(f.path)
	if err != nil {
		return wrap(ErrMoved, err)
	}
	if !os.SameFile(f.info, now) {
		return fmt.Errorf("%w: %s", ErrMoved, f.path)
	}
	if now.Size() < least {
		return fmt.Errorf("%w: %s was cut off at %d bytes", ErrMoved, f.path, now.Size())
	}
	for size := min(now.Size(), walLimit); size > least; least = f.least.Load() {
		if f.least.CompareAndSwap(least, size) {
			return nil
		}
	}
	return nil
}
