package database

import (
	"errors"
	"fmt"
)

// What can be wrong with a store, for [errors.Is].
var (
	// ErrURL means that the URL is wrong: a mistake of whoever configured it.
	ErrURL = errors.New("bad store URL")
	// ErrLocked means that another process has the SQLite file.
	ErrLocked = errors.New("the store is in use")
	// ErrFull means that the disk is full.
	ErrFull = errors.New("the disk of the store is full")
	// ErrReadOnly means that the store cannot be written: its file, its file
	// system, or a PostgreSQL standby.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrCorrupt means that the store is damaged, or not a database at all.
	ErrCorrupt = errors.New("the store is corrupt")
	// ErrUnavailable means that the store does not answer now; later it may.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrInDoubt means that a commit was sent and its outcome is unknown: it may
	// have happened, now or after a failover. Writes must be idempotent anyway.
	ErrInDoubt = errors.New("the outcome of the commit is unknown")
	// ErrNewer means that a newer program has migrated the store.
	ErrNewer = errors.New("the store is newer than this program")
	// ErrUnique means that a row with the same key exists.
	ErrUnique = errors.New("the key exists already")
	// ErrNoRows means that [Query.Get] found nothing.
	ErrNoRows = errors.New("no such row")
	// ErrClosed means that the DB was closed.
	ErrClosed = errors.New("the store is closed")
)

// wrap puts sentinel before err, unless err has it already.
func wrap(sentinel, err error) error {
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}
