package database

import (
	"context"
	"fmt"
	"time"
)

// A Query reads one snapshot. It lives as long as the function it was given to
// and belongs to one goroutine, which finishes with one [Rows] before it asks
// for the next.
type Query struct {
	session  session
	engine   engine
	deadline time.Time
	failed   error // the first error of a statement
}

func newQuery(ctx context.Context, s session, e engine) *Query {
	deadline, _ := ctx.Deadline() // Read and Write have set one
	return &Query{session: s, engine: e, deadline: deadline}
}

// Query runs one statement and returns its rows, which the caller closes. With
// RETURNING it may be a statement that writes, in a [Tx].
func (q *Query) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	ctx, cancel := context.WithDeadline(ctx, q.deadline)
	inner, done, err := q.session.query(ctx, sql, args)
	if err != nil {
		cancel()
		return nil, q.fail("querying", err)
	}
	return &Rows{rows: inner, q: q, done: func() { done(); cancel() }}, nil
}

// Get scans the first row of a statement into dest. It returns [ErrNoRows] if
// there is none, which is no failure of a transaction.
func (q *Query) Get(ctx context.Context, sql string, args []any, dest ...any) error {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return rows.Scan(dest...)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return ErrNoRows
}

func (q *Query) fail(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, q.engine.class(err))
	if q.failed == nil {
		q.failed = err
	}
	return err
}

// A Tx writes, and reads what it wrote. What is said of [Query] holds for it.
type Tx struct{ *Query }

// Exec runs one statement and returns the number of rows that it wrote. Its
// error wraps [ErrUnique] where a key exists already.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	ctx, cancel := context.WithDeadline(ctx, tx.deadline)
	defer cancel()
	n, err := tx.session.exec(ctx, sql, args)
	if err != nil {
		return 0, tx.fail("executing", err)
	}
	return n, nil
}

// ExecMany runs one statement once for each element of rows, its arguments, and
// returns the number of rows written in all. Errors are those of [Tx.Exec].
func (tx *Tx) ExecMany(ctx context.Context, sql string, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithDeadline(ctx, tx.deadline)
	defer cancel()
	n, err := tx.session.execMany(ctx, sql, rows)
	if err != nil {
		return 0, tx.fail(fmt.Sprintf("executing a batch of %d", len(rows)), err)
	}
	return n, nil
}

// Rows are the result of a [Query.Query].
//
//	for rows.Next() {
//		err := rows.Scan(&name, &count)
//		…
//	}
//	return rows.Err()
type Rows struct {
	rows rows
	q    *Query
	done func()
}

// Next moves to the next row. It returns false at the end and after an error.
func (r *Rows) Next() bool { return r.rows.Next() }

// Scan copies the columns of the row into dest; bytes are the caller's own.
func (r *Rows) Scan(dest ...any) error {
	if err := r.rows.Scan(dest...); err != nil {
		return r.q.fail("scanning a row", err)
	}
	return nil
}

// Err returns the error that ended the rows early, or nil.
func (r *Rows) Err() error {
	if err := r.rows.Err(); err != nil {
		return r.q.fail("reading rows", err)
	}
	return nil
}

// Close ends the rows; it may be called at any time and more than once.
func (r *Rows) Close() { r.done() }
