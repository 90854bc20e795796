package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// How much one transaction of Prune removes; a version can be a megabyte.
const (
	versionsPerStep = 50
	rowsPerStep     = 500
)

// A sweep removes rows of one table. They are found in a snapshot, which holds
// up nobody, and removed by key in small transactions, each only if it is still
// what it was found to be. Of both statements $1 is the network and $2 the
// moment; $3 is how many to find, then the key to remove.
type sweep struct{ what, find, remove string }

// A node that is not listed is forgotten when its statements are over.
var nodeSweep = sweep{
	what:   "nodes",
	find:   `SELECT node FROM node WHERE network = $1 AND NOT listed AND greatest_iat <= $2 LIMIT $3`,
	remove: `DELETE FROM node WHERE network = $1 AND NOT listed AND greatest_iat <= $2 AND node = $3`,
}

// Heartbeats go with their node; k is at least 1, so that $2 = 0 spares none.
var beatSweep = sweep{
	what: "heartbeats",
	find: `SELECT node FROM beat WHERE network = $1 AND k > $2 AND NOT EXISTS
		(SELECT 1 FROM node AS n WHERE n.network = beat.network AND n.node = beat.node) LIMIT $3`,
	remove: `DELETE FROM beat WHERE network = $1 AND k > $2 AND node = $3 AND NOT EXISTS
		(SELECT 1 FROM node AS n WHERE n.network = beat.network AND n.node = beat.node)`,
}

// An object that is stored again becomes younger, see upsertObject. So no
// process can begin to refer to one that another is about to remove.
var objectSweep = sweep{
	what: "objects",
	find: `SELECT rid FROM object WHERE network = $1 AND accepted_at < $2 AND NOT EXISTS
		(SELECT 1 FROM node AS n WHERE n.network = object.network AND n.node = object.node
			AND object.rid IN (n.state, n.hidden, n.evidence)) LIMIT $3`,
	remove: `DELETE FROM object WHERE network = $1 AND accepted_at < $2 AND rid = $3 AND NOT EXISTS
		(SELECT 1 FROM node AS n WHERE n.network = object.network AND n.node = object.node
			AND object.rid IN (n.state, n.hidden, n.evidence))`,
}

// Objects that were accepted a day after used_at or later do not need the
// certificate, see upsertCertificate. Of older objects few are left.
var certificateSweep = sweep{
	what: "certificates",
	find: `SELECT thumbprint FROM certificate WHERE network = $1 AND used_at < $2 - 86400 AND thumbprint NOT IN
		(SELECT leaf FROM object WHERE network = $1 AND accepted_at < $2
			UNION SELECT issuer FROM object WHERE network = $1 AND accepted_at < $2) LIMIT $3`,
	remove: `DELETE FROM certificate WHERE network = $1 AND used_at < $2 - 86400 AND thumbprint = $3`,
}

// Prune forgets what is older than the horizon, which must lie in the past (it
// is what other processes rely on when they commit meanwhile): the leaves and
// change lists of old versions (never the newest, and never hashes of the log),
// nodes that left, with their heartbeats and events, all but the newest events of
// each other one, then objects and certificates that nothing refers to. It works
// in steps, which other processes may take as well.
func (s *Store) Prune(ctx context.Context, h catalog.Horizon) error {
	defer s.looks.forget()
	err := errors.Join(
		s.pruneVersions(ctx, h.Made),
		removeAll[string](ctx, s, nodeSweep, h.IAT),
		removeAll[string](ctx, s, beatSweep, 0),
		s.pruneEvents(ctx, h.Events),
		removeAll[[]byte](ctx, s, objectSweep, h.Made),
		removeAll[[]byte](ctx, s, certificateSweep, h.Made),
	)
	if err != nil {
		return fmt.Errorf("pruning %s: %w", s.network, err)
	}
	return nil
}

func (s *Store) pruneVersions(ctx context.Context, before int64) error {
	for {
		last, err := s.oldVersions(ctx, before)
		if err != nil {
			return fmt.Errorf("finding versions: %w", err)
		}
		if last == 0 {
			return nil
		}
		err = s.db.Write(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM version WHERE network = $1 AND version <= $2`, s.network, last)
			return err
		})
		if err != nil {
			return fmt.Errorf("removing versions: %w", err)
		}
	}
}

// oldVersions returns up to which version the next step goes, 0 for none.
func (s *Store) oldVersions(ctx context.Context, before int64) (last int64, err error) {
	err = s.db.Read(ctx, func(q *database.Query) error {
		rows, err := q.Query(ctx, `SELECT version, made FROM version WHERE network = $1
			AND version < (SELECT max(version) FROM version WHERE network = $1)
			ORDER BY version LIMIT $2`, s.network, int64(versionsPerStep))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var version, made int64
			if err := rows.Scan(&version, &made); err != nil {
				return err
			}
			if made >= before { // made never falls from version to version
				return nil
			}
			last = version
		}
		return rows.Err()
	})
	return last, err
}

func removeAll[K string | []byte](ctx context.Context, s *Store, w sweep, before int64) error {
	for {
		rows, err := findKeys[K](ctx, s, w, before)
		if err != nil {
			return fmt.Errorf("finding %s: %w", w.what, err)
		}
		if len(rows) == 0 {
			return nil
		}
		var removed int64
		err = s.db.Write(ctx, func(tx *database.Tx) error {
			removed, err = tx.ExecMany(ctx, w.remove, rows)
			return err
		})
		if err != nil {
			return fmt.Errorf("removing %s: %w", w.what, err)
		}
		if len(rows) < rowsPerStep || removed == 0 { // 0: others removed or changed them
			return nil
		}
	}
}

// findKeys returns the arguments of the statements that remove.
func findKeys[K string | []byte](ctx context.Context, s *Store, w sweep, before int64) ([][]any, error) {
	var keys [][]any
	err := s.db.Read(ctx, func(q *database.Query) error {
		rows, err := q.Query(ctx, w.find, s.network, before, int64(rowsPerStep))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key K
			if err := rows.Scan(&key); err != nil {
				return err
			}
			keys = append(keys, []any{s.network, before, key})
		}
		return rows.Err()
	})
	return keys, err
}
