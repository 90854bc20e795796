package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

const (
	selectVersions = `SELECT version, made, leaf, changes FROM version WHERE network = $1 ORDER BY version`

	selectLogRows = `SELECT position, hash FROM log_hash WHERE network = $1 ORDER BY position`

	selectNodes = `SELECT node, state, hidden, evidence, greatest_iat, applied, listed, status, since
		FROM node WHERE network = $1 ORDER BY node`

	selectBeats = `SELECT node, rid, k, token FROM beat WHERE network = $1 ORDER BY node`
)

// Load hands over what is stored, as of one moment. It calls each for every
// version that is kept, in ascending order, while more are read. An error of
// each ends Load and is returned as it is. A row that cannot be what the store
// wrote is [database.ErrCorrupt].
func (s *Store) Load(ctx context.Context, each func(catalog.Version) error) (catalog.Loaded, error) {
	var all catalog.Loaded
	err := s.db.Read(ctx, func(q *database.Query) error {
		var err error
		if all.Version, err = s.loadVersions(ctx, q, each); err != nil {
			return err
		}
		if all.LogRows, err = s.loadLogRows(ctx, q); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		if all.Nodes, err = s.loadNodes(ctx, q); err != nil {
			return fmt.Errorf("nodes: %w", err)
		}
		if all.Objects, err = s.loadObjects(ctx, q); err != nil {
			return fmt.Errorf("objects: %w", err)
		}
		if all.Beats, err = s.loadBeats(ctx, q); err != nil {
			return fmt.Errorf("heartbeats: %w", err)
		}
		return nil
	})
	if refusal, ok := errors.AsType[*refusedError](err); ok {
		return catalog.Loaded{}, refusal.cause
	}
	if err != nil {
		return catalog.Loaded{}, fmt.Errorf("loading %s: %w", s.network, err)
	}
	return all, nil
}

// Version returns what is kept of one version, [catalog.ErrNoVersion] if
// nothing is.
func (s *Store) Version(ctx context.Context, version int64) (catalog.Version, error) {
	v := catalog.Version{Version: version}
	err := s.db.Read(ctx, func(q *database.Query) error {
		return q.Get(ctx, `SELECT made, leaf, changes FROM version WHERE network = $1 AND version = $2`,
			[]any{s.network, version}, &v.Made, &v.Leaf, &v.Changes)
	})
	if errors.Is(err, database.ErrNoRows) {
		return catalog.Version{}, fmt.Errorf("%w: %d", catalog.ErrNoVersion, version)
	}
	if err != nil {
		return catalog.Version{}, fmt.Errorf("reading version %d: %w", version, err)
	}
	return v, nil
}

// A refusedError carries the error of a caller's function out of a transaction.
type refusedError struct{ cause error }

func (e *refusedError) Error() string { return e.cause.Error() }

func (s *Store) loadVersions(ctx context.Context, q *database.Query, each func(catalog.Version) error) (newest int64, err error) {
	err = s.scan(ctx, q, selectVersions, func(rows *database.Rows) error {
		var v catalog.Version
		if err := rows.Scan(&v.Version, &v.Made, &v.Leaf, &v.Changes); err != nil {
			return err
		}
		newest = v.Version
		if err := each(v); err != nil {
			return &refusedError{err}
		}
		return nil
	})
	return newest, err
}

func (s *Store) loadLogRows(ctx context.Context, q *database.Query) (all []translog.Row, err error) {
	err = s.scan(ctx, q, selectLogRows, func(rows *database.Rows) error {
		var row translog.Row
		var hash []byte
		if err := rows.Scan(&row.Position, &hash); err != nil {
			return err
		}
		var err error
		row.Hash, err = toHash(hash)
		all = append(all, row)
		return err
	})
	return all, err
}

func (s *Store) loadNodes(ctx context.Context, q *database.Query) (all []catalog.NodeRow, err error) {
	err = s.scan(ctx, q, selectNodes, func(rows *database.Rows) error {
		var n catalog.NodeRow
		var node string
		var state, hidden, evidence []byte
		var status int64
		err := rows.Scan(&node, &state, &hidden, &evidence, &n.GreatestIAT, &n.Applied, &n.Listed, &status, &n.Since)
		if err != nil {
			return err
		}
		var errs [4]error
		n.Node, errs[0] = toNode(node)
		n.State, errs[1] = toHash(state)
		n.Hidden, errs[2] = toOptionalHash(hidden)
		n.Evidence, errs[3] = toOptionalHash(evidence)
		n.Status = discovery.Status(status) //nolint:gosec // the column is 0 to 3
		all = append(all, n)
		return errors.Join(errs[:]...)
	})
	return all, err
}

func (s *Store) loadBeats(ctx context.Context, q *database.Query) (all []catalog.BeatRow, err error) {
	err = s.scan(ctx, q, selectBeats, func(rows *database.Rows) error {
		var b catalog.BeatRow
		var node string
		var rid, token []byte
		if err := rows.Scan(&node, &rid, &b.Beat.K, &token); err != nil {
			return err
		}
		var errs [3]error
		b.Node, errs[0] = toNode(node)
		b.RID, errs[1] = toHash(rid)
		b.Beat.Token, errs[2] = toHash(token)
		all = append(all, b)
		return errors.Join(errs[:]...)
	})
	return all, err
}

// scan calls each with every row of a statement of which $1 is the network, and
// more are the arguments after it.
func (s *Store) scan(ctx context.Context, q *database.Query, sql string, each func(*database.Rows) error, more ...any) error {
	rows, err := q.Query(ctx, sql, append([]any{s.network}, more...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func toNode(text string) (identity.NodeID, error) {
	id, err := identity.ParseNodeID(text)
	if err != nil {
		return identity.NodeID{}, fmt.Errorf("%w: %w", database.ErrCorrupt, err)
	}
	return id, nil
}

func toHash(b []byte) (identity.Hash, error) {
	if len(b) != len(identity.Hash{}) {
		return identity.Hash{}, fmt.Errorf("%w: a hash of %d bytes", database.ErrCorrupt, len(b))
	}
	return identity.Hash(b), nil
}

// toOptionalHash reads what orNull wrote.
func toOptionalHash(b []byte) (identity.Hash, error) {
	if len(b) == 0 {
		return identity.Hash{}, nil
	}
	return toHash(b)
}
