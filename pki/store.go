package pki

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
)

// A store is the inventory of an authority: certificates, used tokens,
// registries and their marks. Its methods are whole operations.
type store struct {
	db *database.DB
	// changed counts the writes to registries and marks, each at its end,
	// however that was: what was read at an earlier count may be out of date.
	changed atomic.Int64
}

// openStore opens or makes the inventory at path and keeps other processes out
// until it is closed; [ErrLocked] when one is in already. hook is for tests of
// faults and nil otherwise.
func openStore(ctx context.Context, path string, hook func(database.Moment) error) (*store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the inventory: %w", err)
	}
	db, err := database.Open(ctx, database.Config{URL: database.URL(path), Migrations: migrations.CA, Hook: hook})
	if errors.Is(err, database.ErrLocked) {
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the inventory: %w", err)
	}
	return &store{db: db}, nil
}

// openKept is [openStore] for an inventory that must be there: an empty one has
// forgotten which tokens were used and which certificates are revoked.
func openKept(ctx context.Context, path string, hook func(database.Moment) error) (*store, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the inventory: %w: %s is gone", database.ErrCorrupt, path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the inventory: %w", err)
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("opening the inventory: %w: %s is empty", database.ErrCorrupt, path)
	}
	return openStore(ctx, path, hook)
}

func (s *store) close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing the inventory: %w", err)
	}
	return nil
}

// storeError gives a failing store the class that tells a caller to come back.
func storeError(doing string, err error) error {
	if err == nil || identity.CodeOf(err) != "" {
		return err
	}
	return identity.Refuse(identity.Unavailable, "%s: %w", doing, err)
}

// useToken stores a token's id; false means that it was there before.
func (s *store) useToken(ctx context.Context, network, jti string, now time.Time) (bool, error) {
	fresh := false
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		var err error
		fresh, err = useToken(ctx, tx, network, jti, now.Add(maxTokenLife))
		return err
	})
	return fresh && err == nil, storeError("storing a token", err)
}

// useToken is one statement, so that of any number of callers one wins.
func useToken(ctx context.Context, tx *database.Tx, network, jti string, end time.Time) (bool, error) {
	n, err := tx.Exec(ctx, `INSERT INTO used_tokens (network, jti, expires_at)
		VALUES ($1, $2, $3) ON CONFLICT (network, jti) DO NOTHING`, network, jti, end.Unix())
	return n == 1, err
}

// tokenMemory is for how long a used token is remembered after its end. A token
// that is over is refused anyway, but a clock that jumps ahead and is set right
// would bring one back of which nobody knows any more.
const tokenMemory = 365 * 24 * time.Hour

// purgeTokens forgets used tokens that are long over.
func purgeTokens(ctx context.Context, tx *database.Tx, now time.Time) error {
	_, err := tx.Exec(ctx, `DELETE FROM used_tokens WHERE expires_at <= $1`, now.Add(-tokenMemory).Unix())
	return err
}

// ping reads one row, so that a dead inventory is noticed.
func (s *store) ping(ctx context.Context) error {
	err := s.db.Read(ctx, func(q *database.Query) error {
		var one int64
		return q.Get(ctx, `SELECT 1`, nil, &one)
	})
	return storeError("asking the inventory", err)
}
