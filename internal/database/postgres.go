package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxConns       = 8
	connectTimeout = 5 * time.Second
	pingTimeout    = 5 * time.Second
	commitTimeout  = 10 * time.Second
)

// What the server is asked to hold every session to, as a last resort: a
// client that vanished must not keep locks. URL parameters go first.
func sessionDefaults() map[string]string {
	return map[string]string{
		"application_name":                    "netget",
		"statement_timeout":                   "300000", // ms, as readLimit
		"lock_timeout":                        "15000",
		"idle_in_transaction_session_timeout": "60000",
	}
}

// postgresDB is a pool of connections to one server, or to its successor.
type postgresDB struct{ pool *pgxpool.Pool }

// poolConfig fills in what the URL leaves open. The simple protocol is refused:
// it would put arguments into the text of statements.
func poolConfig(u *url.URL) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(u.String())
	if err != nil && mentionsPassword(u) {
		return nil, errNotUnderstood // the reason repeats the URL
	}
	if err != nil {
		return nil, err
	}
	given := u.Query()
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("the simple protocol is not supported; leave default_query_exec_mode out")
	}
	if !given.Has("pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	if !given.Has("connect_timeout") {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	for name, value := range sessionDefaults() {
		if _, ok := cfg.ConnConfig.RuntimeParams[name]; !ok {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.PingTimeout = pingTimeout
	cfg.ConnConfig.OnNotice = noteWarning
	return cfg, nil
}

var errNotUnderstood = errors.New("not a PostgreSQL URL that can be understood; look for a wrong parameter or port")

// mentionsPassword reports whether a URL holds a password, or may: in its user,
// or in a parameter.
func mentionsPassword(u *url.URL) bool {
	if _, set := u.User.Password(); set {
		return true
	}
	query, err := url.QueryUnescape(u.RawQuery)
	return err != nil || strings.Contains(strings.ToLower(query), "password")
}

func openPostgres(ctx context.Context, cfg *pgxpool.Config) (engine, error) {
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("making the pool: %w", err)
	}
	db := &postgresDB{pool: pool}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connecting: %w", db.class(err))
	}
	return db, nil
}

// begin takes REPEATABLE READ, the level at which a transaction sees one
// snapshot, as SQLite's do, and is refused when it would overwrite a row that
// changed since.
func (db *postgresDB) begin(ctx context.Context, writing bool) (session, error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	if writing {
		options.AccessMode = pgx.ReadWrite
	}
	tx, err := db.pool.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	return postgresTx{tx}, nil
}

func (db *postgresDB) close() error {
	db.pool.Close()
	return nil
}

// again is true for what the server undid itself, and for a connection that
// broke: whatever was not committed is gone with it. A server that takes no
// connections is not asked again.
func (*postgresDB) again(err error) bool {
	if reply, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch reply.Code {
		case "40001", "40P01": // serialization_failure, deadlock_detected
			return true
		case "57P01", "57P02": // admin_shutdown, crash_shutdown
			return !isConnect(err)
		default:
			return false
		}
	}
	return isBroken(err) && !isConnect(err) && !errors.Is(err, context.DeadlineExceeded)
}

func (*postgresDB) class(err error) error {
	if reply, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresClass(reply.Code, err)
	}
	if isConnect(err) || isBroken(err) {
		return wrap(ErrUnavailable, lineError{err})
	}
	return err
}

// A lineError is an error whose text pgx writes on several lines, one for each
// address that it tried.
type lineError struct{ error }

func (e lineError) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e lineError) Unwrap() error { return e.error }

// postgresClass goes by SQLSTATE (PostgreSQL manual, appendix A).
func postgresClass(code string, err error) error {
	switch code {
	case "23505":
		return wrap(ErrUnique, err)
	case "53100": // disk_full
		return wrap(ErrFull, err)
	case "25006", "42501": // read_only_sql_transaction: a standby; insufficient_privilege
		return wrap(ErrReadOnly, err)
	case "XX001", "XX002", // data_corrupted, index_corrupted
		"42P01", "42P07", "42703", "42701", "42804": // undefined or duplicate table or column, other type: somebody else's tables
		return wrap(ErrCorrupt, err)
	case "40001", "40P01", "55P03", "57014": // lost to others, lock or statement took too long
		return wrap(ErrUnavailable, err)
	}
	for _, class := range []string{"08", "53", "57P", "58"} { // connection, resources, shutdown, system
		if strings.HasPrefix(code, class) {
			return wrap(ErrUnavailable, err)
		}
	}
	return err
}

func isConnect(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

func isBroken(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
