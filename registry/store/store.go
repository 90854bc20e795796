// Package store keeps the state of a network in a database, SQLite or
// PostgreSQL. It is the [catalog.Store] of a registry.
//
// Every statement names the network, so that several networks live in one
// database without seeing each other. The bytes that were signed are stored as
// they are; nothing read back is trusted, the catalog verifies all of it again.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// A Store is the part of a database that belongs to one network. Its methods
// may be called concurrently, also by several processes. Their errors wrap
// those of [database.DB.Read] and [database.DB.Write].
type Store struct {
	db      *database.DB
	network string // the trust domain
	looks   looks
}

var _ catalog.Store = (*Store)(nil)

// New returns the store of a network in db, which has the registry's tables
// (migrations.Registry) and is closed by the caller. It does no I/O.
func New(db *database.DB, network identity.TrustDomain) (*Store, error) {
	if db == nil {
		return nil, errors.New("making a store: no database")
	}
	if network.IsZero() {
		return nil, errors.New("making a store: no network")
	}
	return &Store{db: db, network: network.String()}, nil
}

// Claim binds the log of the network to one registry identity for ever. It
// returns [catalog.ErrForeignLog] if it belongs to another one.
func (s *Store) Claim(ctx context.Context, registry identity.NodeID, nid identity.Hash) error {
	var owner string
	var root []byte
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO claim (network, registry, nid) VALUES ($1, $2, $3)
			ON CONFLICT (network) DO NOTHING`, s.network, registry.String(), nid[:])
		if err != nil {
			return err
		}
		return tx.Get(ctx, `SELECT registry, nid FROM claim WHERE network = $1`, []any{s.network}, &owner, &root)
	})
	if err != nil {
		return fmt.Errorf("claiming the log of %s: %w", s.network, err)
	}
	if owner != registry.String() || string(root) != string(nid[:]) {
		return fmt.Errorf("%w: it is that of %s", catalog.ErrForeignLog, owner)
	}
	return nil
}

// Ping writes a row that stays as it is, because only a commit shows that one
// is possible: a disk may be full, or a server have become a standby.
func (s *Store) Ping(ctx context.Context) error {
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE claim SET nid = nid WHERE network = $1`, s.network)
		return err
	})
	if err != nil {
		return fmt.Errorf("trying a commit: %w", err)
	}
	return nil
}
