package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresTx is a transaction on one connection to PostgreSQL.
type postgresTx struct{ tx pgx.Tx }

func (t postgresTx) exec(ctx context.Context, text string, args []any) (int64, error) {
	tag, err := t.tx.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

func (t postgresTx) execMany(ctx context.Context, text string, rows [][]any) (int64, error) {
	batch := &pgx.Batch{}
	for _, args := range rows {
		batch.Queue(text, args...)
	}
	results := t.tx.SendBatch(ctx, batch)
	var total int64
	for range rows {
		tag, err := results.Exec()
		if err != nil {
			return 0, errors.Join(err, results.Close())
		}
		total += tag.RowsAffected()
	}
	return total, results.Close()
}

func (t postgresTx) query(ctx context.Context, text string, args []any) (rows, func(), error) {
	found, err := t.tx.Query(ctx, text, args...) //nolint:sqlclosecheck // Rows.Close does
	if err != nil {
		return nil, nil, err
	}
	return found, found.Close, nil
}

// commit is not cut short by ctx once it is sent, so that its outcome is known
// if it can be. After a warning it counts as failed although PostgreSQL says
// COMMIT: that is how it reports a wait for the synchronous standby that was
// cancelled, a write that a failover would lose.
func (t postgresTx) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	conn := t.tx.Conn().PgConn()
	unsent := conn.IsClosed() // what broke before cannot take COMMIT any more
	delete(conn.CustomData(), warningKey)
	err := t.tx.Commit(ctx)
	if warning, ok := conn.CustomData()[warningKey].(string); ok {
		return errors.Join(fmt.Errorf("%w: %s", ErrInDoubt, warning), err)
	}
	if err != nil && !unsent && inDoubt(err) {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// inDoubt tells an answer to COMMIT from the rest. It does not ask
// [pgconn.SafeToRetry]: of a connection that breaks while pgx waits for the
// answer that says yes, although COMMIT was sent.
func inDoubt(err error) bool {
	if reply, ok := errors.AsType[*pgconn.PgError](err); ok {
		return reply.SeverityUnlocalized != "ERROR" // FATAL, PANIC: the session died on the way
	}
	return !errors.Is(err, pgx.ErrTxCommitRollback)
}

// rollback runs when ctx may be over; pgx drops a connection that it cannot
// bring back in time.
func (t postgresTx) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	_ = t.tx.Rollback(ctx)
}

// warningKey is where noteWarning leaves the last warning of a connection.
const warningKey = "netget.warning"

// noteWarning runs while an answer is read, on the goroutine that waits for it.
func noteWarning(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[warningKey] = notice.Message
	}
}
