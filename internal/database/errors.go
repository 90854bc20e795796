package database

import (
	"errors"
	"fmt"
)

// What can be wrong with a store, for [errors.Is]. Those that a person can do
// something about have a method Hint() string, which says what in one line.
var (
	// ErrURL means that the URL is wrong: a mistake of whoever configured it.
	ErrURL error = &kind{"bad store URL", "write sqlite:///path/file.db or postgres://user@host/database"}
	// ErrLocked means that another process has the SQLite file.
	ErrLocked error = &kind{"the store is in use", "stop the other process, or use another store"}
	// ErrLinked means that the SQLite file has more than one name, and one lock
	// cannot keep others from it.
	ErrLinked error = &kind{"the file of the store has several names", "find the others with 'find DIR -samefile FILE' and remove them while nobody has the store open"}
	// ErrFull means that the disk is full.
	ErrFull error = &kind{"the disk of the store is full", "make room on the disk of the store; what runs goes on by itself then"}
	// ErrReadOnly means that the store cannot be written: its file, its file
	// system, or a PostgreSQL standby.
	ErrReadOnly error = &kind{"the store is read-only", "make the store's file, folder and disk writable for this user, or name the primary server; what runs goes on by itself then"}
	// ErrMoved means that the SQLite file or its write-ahead log was moved,
	// replaced or removed under the running program.
	ErrMoved error = &kind{"the file of the store is not the one that was opened", "put the very same file back and what runs goes on by itself; otherwise stop the program and see docs/operations.md, \"A store that was replaced\""}
	// ErrCorrupt means that the store is damaged, or not a database at all.
	ErrCorrupt error = &kind{"the store is corrupt", "stop the program, keep a copy of the files, and see docs/operations.md, \"A store that cannot be believed\""}
	// ErrUnavailable means that the store does not answer now; later it may.
	ErrUnavailable error = &kind{"the store is unavailable", "look at the disk or the server of the store: space, quota, limits, its own log; what runs goes on by itself when it answers"}
	// ErrInDoubt means that a commit was sent and its outcome is unknown: it may
	// have happened, now or after a failover. Writes must be idempotent anyway.
	ErrInDoubt = errors.New("the outcome of the commit is unknown")
	// ErrNewer means that a newer program has migrated the store.
	ErrNewer error = &kind{"the store is newer than this program", "use the newer version of the program that has opened this store"}
	// ErrUnique means that a row with the same key exists.
	ErrUnique = errors.New("the key exists already")
	// ErrNoRows means that [Query.Get] found nothing.
	ErrNoRows = errors.New("no such row")
	// ErrClosed means that the DB was closed.
	ErrClosed = errors.New("the store is closed")
)

// A kind is what can be wrong, and what to do about it.
type kind struct{ text, hint string }

// Error says what is wrong.
func (k *kind) Error() string { return k.text }

// Hint says what to do about it, in one line.
func (k *kind) Hint() string { return k.hint }

// wrap puts sentinel before err, unless err has it already.
func wrap(sentinel, err error) error {
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}
