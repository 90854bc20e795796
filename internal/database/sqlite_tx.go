package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteTx is a transaction on one SQLite connection.
type sqliteTx struct {
	tx      *sql.Tx
	inPlace func() error
}

func (t sqliteTx) exec(ctx context.Context, text string, args []any) (int64, error) {
	result, err := t.tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, ended(ctx, err)
	}
	return result.RowsAffected()
}

// execMany looks at ctx between the rows only: to be interrupted inside one
// costs the driver a goroutine for each.
func (t sqliteTx) execMany(ctx context.Context, text string, rows [][]any) (int64, error) {
	stmt, err := t.tx.PrepareContext(ctx, text)
	if err != nil {
		return 0, ended(ctx, err)
	}
	defer func() { _ = stmt.Close() }()
	var total int64
	for _, args := range rows {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		result, err := stmt.ExecContext(context.WithoutCancel(ctx), args...)
		if err != nil {
			return 0, ended(ctx, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (t sqliteTx) query(ctx context.Context, text string, args []any) (rows, func(), error) {
	found, err := t.tx.QueryContext(ctx, text, args...) //nolint:rowserrcheck // Rows.Err does
	if err != nil {
		return nil, nil, ended(ctx, err)
	}
	return found, func() { _ = found.Close() }, nil
}

// commit is in doubt after an input or output error: the log's last frame may
// have reached the disk although the call to sync it failed. It is in doubt too
// if the files were taken away meanwhile: they may come back.
func (t sqliteTx) commit(ctx context.Context) error {
	err := t.tx.Commit()
	if code, ok := errors.AsType[*sqlite.Error](err); ok && code.Code()&0xff == sqlite3.SQLITE_IOERR {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	if err != nil {
		return ended(ctx, err)
	}
	if err := t.inPlace(); err != nil {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return nil
}

// ended puts the end of ctx before an error that may only be its consequence:
// database/sql rolls back by itself then, and the next call finds that done.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

func (t sqliteTx) rollback(context.Context) { _ = t.tx.Rollback() }
