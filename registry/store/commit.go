package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// The first version needs nothing before it. Any other one needs the row of its
// predecessor: the subquery is NULL, which the column refuses, if somebody put
// an older database in our place.
const (
	insertFirst = `INSERT INTO version (network, version, made, leaf, changes) VALUES ($1, $2, $3, $4, $5)`
	insertNext  = `INSERT INTO version (network, version, made, leaf, changes)
		VALUES ($1, (SELECT version + 1 FROM version WHERE network = $1 AND version = $2), $3, $4, $5)`
)

// Of an object that is stored already the token stays; becoming younger keeps it
// from being pruned.
const (
	insertLogRow = `INSERT INTO log_hash (network, position, hash) VALUES ($1, $2, $3)`

	upsertObject = `INSERT INTO object (network, rid, node, token, leaf, issuer, accepted_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (network, rid) DO UPDATE
		SET leaf = excluded.leaf, issuer = excluded.issuer, accepted_at = excluded.accepted_at
		WHERE object.accepted_at < excluded.accepted_at`

	upsertNode = `INSERT INTO node
		(network, node, state, hidden, evidence, greatest_iat, applied, listed, status, since)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (network, node) DO UPDATE
		SET state = excluded.state, hidden = excluded.hidden, evidence = excluded.evidence,
			greatest_iat = excluded.greatest_iat, applied = excluded.applied,
			listed = excluded.listed, status = excluded.status, since = excluded.since`
)

// Commit makes batch durable as version batch.Version, all of it or nothing. It
// returns [catalog.ErrConflict], and changes nothing, if that version exists
// already, in whichever process it was made. After any other error, above all
// [database.ErrInDoubt], ask [Store.Version].
func (s *Store) Commit(ctx context.Context, batch catalog.Batch) error {
	var used *signers
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		used = newSigners(&s.looks)
		// First, so that of two processes one waits here for the other's end.
		if err := s.writeVersion(ctx, tx, batch.Version); err != nil {
			return err
		}
		if _, err := tx.ExecMany(ctx, insertLogRow, s.logRows(batch.LogRows)); err != nil {
			return err
		}
		if err := s.writeObjects(ctx, tx, used, batch.Objects); err != nil {
			return err
		}
		if _, err := tx.ExecMany(ctx, upsertNode, s.nodeRows(batch.Nodes)); err != nil {
			return err
		}
		_, err := tx.ExecMany(ctx, insertEvent, s.eventRows(batch.Events))
		return err
	})
	if errors.Is(err, database.ErrUnique) { // the log's rows outlive those of old versions
		return fmt.Errorf("committing version %d: %w: %w", batch.Version.Version, catalog.ErrConflict, err)
	}
	if err != nil {
		return fmt.Errorf("committing version %d: %w", batch.Version.Version, err)
	}
	s.looks.add(used)
	return nil
}

func (s *Store) writeVersion(ctx context.Context, tx *database.Tx, v catalog.Version) error {
	if v.Version == 1 {
		_, err := tx.Exec(ctx, insertFirst, s.network, v.Version, v.Made, v.Leaf, v.Changes)
		return err
	}
	_, err := tx.Exec(ctx, insertNext, s.network, v.Version-1, v.Made, v.Leaf, v.Changes)
	return err
}

func (s *Store) writeObjects(ctx context.Context, tx *database.Tx, used *signers, objects []catalog.Object) error {
	rows := make([][]any, 0, len(objects))
	for _, o := range objects {
		leaf, issuer := used.note(o.Leaf, o.AcceptedAt), used.note(o.Issuer, o.AcceptedAt)
		rows = append(rows, []any{s.network, o.RID[:], o.Node.String(), []byte(o.Token), leaf[:], issuer[:], o.AcceptedAt})
	}
	if _, err := tx.ExecMany(ctx, upsertCertificate, used.rows(s.network)); err != nil {
		return err
	}
	_, err := tx.ExecMany(ctx, upsertObject, rows)
	return err
}

func (s *Store) logRows(hashes []translog.Row) [][]any {
	rows := make([][]any, 0, len(hashes))
	for i := range hashes {
		rows = append(rows, []any{s.network, hashes[i].Position, hashes[i].Hash[:]})
	}
	return rows
}

func (s *Store) nodeRows(nodes []catalog.NodeRow) [][]any {
	rows := make([][]any, 0, len(nodes))
	for _, n := range nodes {
		rows = append(rows, []any{
			s.network, n.Node.String(), n.State[:], orNull(n.Hidden), orNull(n.Evidence),
			n.GreatestIAT, n.Applied, n.Listed, int64(n.Status), n.Since,
		})
	}
	return rows
}

// orNull is how the zero hash, which names nothing, is stored.
func orNull(h identity.Hash) any {
	if h.IsZero() {
		return nil
	}
	return h[:]
}
