package store

import (
	"context"
	"fmt"

	"github.com/neurons-me/netget/internal/database"
)

// Which nodes, from $2 on, have more events than may stay: $3, or none if the
// node is forgotten itself. Both statements read event_by_node in its order,
// which is why the second says BETWEEN; see selectEvents.
const (
	findSurplus = `SELECT node, count(*), node = '' OR EXISTS
			(SELECT 1 FROM node AS n WHERE n.network = $1 AND n.node = e.node)
		FROM event AS e WHERE network = $1 AND node >= $2 GROUP BY node
		HAVING count(*) > $3 OR (node <> '' AND NOT EXISTS
			(SELECT 1 FROM node AS n WHERE n.network = $1 AND n.node = e.node))
		ORDER BY node LIMIT $4`

	findOldest  = `SELECT id FROM event WHERE network = $1 AND node BETWEEN $2 AND $2 ORDER BY node, id LIMIT $3`
	removeEvent = `DELETE FROM event WHERE network = $1 AND id = $2`
)

// A surplus is how many events of a node have to go, the oldest.
type surplus struct {
	node string // "" for the network
	n    int64
}

// pruneEvents leaves the newest keep events of each node and of the network. No
// step looks again at the nodes before it: all together read the table once.
func (s *Store) pruneEvents(ctx context.Context, keep int) error {
	node := ""
	for {
		var rows [][]any
		err := s.db.Read(ctx, func(q *database.Query) error {
			var err error
			rows, node, err = s.surplusEvents(ctx, q, node, int64(keep))
			return err
		})
		if err != nil {
			return fmt.Errorf("finding events: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		err = s.db.Write(ctx, func(tx *database.Tx) error {
			_, err := tx.ExecMany(ctx, removeEvent, rows) // none becomes one of the newest again
			return err
		})
		if err != nil {
			return fmt.Errorf("removing events: %w", err)
		}
	}
}

// surplusEvents returns the arguments of the statements that remove, and the
// last node that they are about.
func (s *Store) surplusEvents(ctx context.Context, q *database.Query, from string, keep int64) (remove [][]any, last string, err error) {
	all, err := s.surpluses(ctx, q, from, keep)
	if err != nil {
		return nil, "", err
	}
	for _, x := range all {
		ids, err := s.oldest(ctx, q, x.node, min(x.n, int64(rowsPerStep-len(remove))))
		if err != nil {
			return nil, "", err
		}
		remove, last = append(remove, ids...), x.node
		if len(remove) == rowsPerStep {
			break
		}
	}
	return remove, last, nil
}

func (s *Store) surpluses(ctx context.Context, q *database.Query, from string, keep int64) (all []surplus, err error) {
	rows, err := q.Query(ctx, findSurplus, s.network, from, keep, int64(rowsPerStep))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var x surplus
		var stays bool
		if err := rows.Scan(&x.node, &x.n, &stays); err != nil {
			return nil, err
		}
		if stays {
			x.n -= keep
		}
		all = append(all, x)
	}
	return all, rows.Err()
}

func (s *Store) oldest(ctx context.Context, q *database.Query, node string, n int64) (remove [][]any, err error) {
	rows, err := q.Query(ctx, findOldest, s.network, node, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		remove = append(remove, []any{s.network, id})
	}
	return remove, rows.Err()
}
