package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// How often a write is tried when others are in its way, and the pauses
// between: 1 ms, doubled each time, to this at most. Of transactions that
// collide one always wins, so as many writers get through as there are tries.
const (
	maxTries = 12
	maxPause = 64 * time.Millisecond
)

// Write calls fn in a transaction and makes it durable before it returns nil.
//
// A transaction reads one snapshot and loses against a concurrent one that
// changed the same rows; then, and after a connection that broke before the
// commit, fn is called again. So it must not keep anything from an earlier
// call. If any statement failed nothing is written, whatever fn returns. fn
// must not use the DB itself.
//
// Write returns fn's error, or an error that wraps [ErrUnavailable], [ErrFull],
// [ErrReadOnly], [ErrMoved], [ErrCorrupt] or [ErrClosed], which all mean that
// nothing was written, unless it wraps [ErrInDoubt] too: then nobody knows.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.running.Done()
	for try := 1; ; try++ {
		err := db.writeOnce(ctx, fn)
		if err == nil || errors.Is(err, ErrInDoubt) || ctx.Err() != nil || !db.engine.again(err) {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("%w: given up after %d tries: %w", ErrUnavailable, try, err)
		}
		db.log.LogAttrs(ctx, slog.LevelDebug, "write transaction runs again", slog.Int("try", try), slog.Any("error", err))
		if err := pause(ctx, min(time.Millisecond<<(try-1), maxPause)); err != nil {
			return err
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	s, err := db.engine.begin(ctx, true)
	if err != nil {
		return fmt.Errorf("beginning to write: %w", db.engine.class(err))
	}
	defer s.rollback(ctx)
	tx := &Tx{Query: newQuery(ctx, s, db.engine)}
	if err := fn(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	if err := db.hook(BeforeCommit); err != nil {
		return err
	}
	if err := s.commit(ctx); err != nil {
		return fmt.Errorf("committing: %w", db.engine.class(err))
	}
	return db.hook(AfterCommit)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting to write again: %w", context.Cause(ctx))
	case <-timer.C:
		return nil
	}
}
