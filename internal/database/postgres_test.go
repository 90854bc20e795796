package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

func TestProcessesThatStartTogetherMigrateOnce(t *testing.T) {
	url := testpg.URL(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := database.Open(t.Context(), database.Config{URL: url, Migrations: files(items)})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestServerGoesAndComesBack(t *testing.T) {
	server := testpg.New(t)
	url := server.URL(t)
	db := open(t, database.Config{URL: url})
	if err := db.Write(t.Context(), add(t.Context(), "a", nil)); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	if err := db.Write(t.Context(), add(t.Context(), "b", nil)); !errors.Is(err, database.ErrUnavailable) || errors.Is(err, database.ErrInDoubt) {
		t.Errorf("Write: got %v, want %v", err, database.ErrUnavailable)
	}
	if err := db.Read(t.Context(), func(*database.Query) error { return nil }); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("Read: got %v, want %v", err, database.ErrUnavailable)
	}
	_, err := database.Open(t.Context(), database.Config{URL: url, Migrations: files(items)})
	if !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("Open: got %v, want %v", err, database.ErrUnavailable)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	server.Start(t)
	if n := count(t, db); n != 1 {
		t.Errorf("afterwards: got %d rows, want 1", n)
	}
}

// Connections that the server ended while they were idle or in a transaction
// cost the caller nothing, because nothing was committed on them.
func TestBrokenConnectionsAreReplaced(t *testing.T) {
	url := testpg.URL(t)
	db := open(t, database.Config{URL: url})
	admin := connect(t, url)
	endAll := func() {
		if _, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, db); n != 0 {
		t.Fatalf("got %d rows", n)
	}
	endAll()
	calls := 0
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		if calls++; calls == 1 {
			endAll()
		}
		return add(t.Context(), "a", nil)(tx)
	})
	if err != nil || calls < 2 {
		t.Errorf("Write: got %v after %d calls, want success after 2", err, calls)
	}
	if n := count(t, db); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

// PostgreSQL reports the cancelled wait for a synchronous standby as success
// with a warning.
func TestCommitWithoutItsStandbyIsInDoubt(t *testing.T) {
	server := testpg.New(t)
	url := server.URL(t)
	db := open(t, database.Config{URL: url})
	admin := connect(t, url)
	run := func(sql string) {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	run(`SELECT pg_reload_conf()`)
	if err := writeUntilStopped(t, db, admin); !errors.Is(err, database.ErrInDoubt) {
		t.Errorf("Write: got %v, want %v", err, database.ErrInDoubt)
	}
	run(`ALTER SYSTEM RESET synchronous_standby_names`)
	run(`SELECT pg_reload_conf()`)
}

// writeUntilStopped writes until a commit waits for the standby, which takes a
// moment to become the rule, cancels that wait, and returns what Write said.
func writeUntilStopped(t *testing.T, db *database.DB, admin *pgx.Conn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			if err := db.Write(ctx, add(t.Context(), fmt.Sprint(i), nil)); err != nil {
				result <- err
				return
			}
		}
	}()
	for cancelled := 0; cancelled == 0; {
		err := admin.QueryRow(ctx, `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&cancelled)
		if err != nil {
			t.Fatal(err)
		}
	}
	return <-result
}

// The session dies while COMMIT runs: a deferred trigger ends it.
func TestConnectionLostAtCommitIsInDoubt(t *testing.T) {
	const killer = `-- +goose StatementBegin
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER die AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();`
	db := open(t, database.Config{URL: testpg.URL(t), Migrations: files(items, killer)})
	calls := 0
	err := db.Write(t.Context(), func(tx *database.Tx) error {
		calls++
		return add(t.Context(), "a", nil)(tx)
	})
	if !errors.Is(err, database.ErrInDoubt) || calls != 1 {
		t.Errorf("Write: got %v after %d calls, want %v after one", err, calls, database.ErrInDoubt)
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}
