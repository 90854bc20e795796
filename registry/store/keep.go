package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// keepNode changes a row only while the node's state is the one that the caller
// knows. No version protects it from another process that has gone on.
const keepNode = `INSERT INTO node
	(network, node, state, hidden, evidence, greatest_iat, applied, listed, status, since)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	ON CONFLICT (network, node) DO UPDATE
	SET hidden = excluded.hidden, evidence = excluded.evidence, greatest_iat = excluded.greatest_iat
	WHERE node.state = excluded.state AND node.applied = excluded.applied`

// Keep stores objects and node rows that make no version, all or nothing. Of a
// node that is stored already it changes Hidden, Evidence and GreatestIAT. It
// returns [catalog.ErrConflict], and changes nothing, if the stored state of a
// node is another one: another process has made a version since.
func (s *Store) Keep(ctx context.Context, objects []catalog.Object, nodes []catalog.NodeRow) error {
	var used *signers
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		used = newSigners(&s.looks)
		if err := s.writeObjects(ctx, tx, used, objects); err != nil {
			return err
		}
		n, err := tx.ExecMany(ctx, keepNode, s.nodeRows(nodes))
		if err == nil && n != int64(len(nodes)) {
			err = fmt.Errorf("%d nodes: %w", int64(len(nodes))-n, errMoved)
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return fmt.Errorf("keeping evidence: %w: %w", catalog.ErrConflict, err)
	}
	if err != nil {
		return fmt.Errorf("keeping evidence: %w", err)
	}
	s.looks.add(used)
	return nil
}

// errMoved means that a node's state is not the one that the caller knows.
var errMoved = errors.New("the state has changed")
