package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// beatsPerStep keeps one transaction to a few milliseconds; between two of them
// a commit gets its turn.
const beatsPerStep = 500

const upsertBeat = `INSERT INTO beat (network, node, rid, k, token) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (network, node) DO UPDATE SET rid = excluded.rid, k = excluded.k, token = excluded.token
	WHERE beat.rid <> excluded.rid OR beat.k < excluded.k`

// SaveBeats stores the greatest heartbeat of each node given. A heartbeat below
// the stored one of the same record changes nothing. Beats are written by node
// in steps, of which each happens wholly or not at all, so that two processes
// cannot wait for each other.
func (s *Store) SaveBeats(ctx context.Context, beats []catalog.BeatRow) error {
	rows := make([][]any, 0, len(beats))
	for _, b := range slices.SortedStableFunc(slices.Values(beats), byNode) {
		rows = append(rows, []any{s.network, b.Node.String(), b.RID[:], b.Beat.K, b.Beat.Token[:]})
	}
	for step := range slices.Chunk(rows, beatsPerStep) {
		err := s.db.Write(ctx, func(tx *database.Tx) error {
			_, err := tx.ExecMany(ctx, upsertBeat, step)
			return err
		})
		if err != nil {
			return fmt.Errorf("saving heartbeats: %w", err)
		}
	}
	return nil
}

func byNode(a, b catalog.BeatRow) int { return cmp.Compare(a.Node.String(), b.Node.String()) }
