package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

const insertEvent = `INSERT INTO event
	(network, id, node, made, old_status, new_status, reason, evidence, disputed)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
	ON CONFLICT (network, id) DO NOTHING`

func (s *Store) eventRows(events []catalog.EventRow) [][]any {
	rows := make([][]any, 0, len(events))
	for i := range events {
		e := &events[i]
		rows = append(rows, []any{
			s.network, e.ID, e.Node.String(), e.Time, int64(e.From), int64(e.To),
			e.Reason, []byte(e.Evidence), e.Disputed,
		})
	}
	return rows
}

// What Events asks. BETWEEN makes SQLite look up the node: with "=" it reads all
// events of the network, because that needs no second look at a row.
const (
	selectEvents = `SELECT id, node, made, old_status, new_status, reason, evidence, disputed
		FROM event WHERE network = $1 AND id > $2 `

	afterOfAll  = selectEvents + `ORDER BY id LIMIT $3`
	newestOfAll = selectEvents + `ORDER BY id DESC LIMIT $3`
	afterOfOne  = selectEvents + `AND node BETWEEN $4 AND $4 ORDER BY node, id LIMIT $3`
	newestOfOne = selectEvents + `AND node BETWEEN $4 AND $4 ORDER BY node DESC, id DESC LIMIT $3`

	afterOfService  = selectEvents + `AND node > $4 AND node < $5 ORDER BY id LIMIT $3`
	newestOfService = selectEvents + `AND node > $4 AND node < $5 ORDER BY id DESC LIMIT $3`
)

// Events returns the events after q.After by rising ID, q.Limit of them at most,
// or the newest. A row that cannot be what the store wrote
// is [database.ErrCorrupt].
func (s *Store) Events(ctx context.Context, q catalog.EventQuery) ([]catalog.EventRow, error) {
	after, newest, args := afterOfAll, newestOfAll, []any{s.network, q.After, int64(q.Limit)}
	switch {
	case !q.Node.IsZero():
		after, newest, args = afterOfOne, newestOfOne, append(args, q.Node.String())
	case q.Service != "":
		service := "spiffe://" + s.network + "/" + q.Service
		after, newest, args = afterOfService, newestOfService, append(args, service+"/", service+"0") // 0 follows /
	}
	if q.Newest {
		all, err := s.readEvents(ctx, newest, args)
		slices.Reverse(all)
		return all, err
	}
	return s.readEvents(ctx, after, args)
}

func (s *Store) readEvents(ctx context.Context, sql string, args []any) (all []catalog.EventRow, err error) {
	err = s.db.Read(ctx, func(q *database.Query) error {
		var err error
		all, err = scanEvents(ctx, q, sql, args)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading events of %s: %w", s.network, err)
	}
	return all, nil
}

func scanEvents(ctx context.Context, q *database.Query, sql string, args []any) (all []catalog.EventRow, err error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

func scanEvent(rows *database.Rows) (e catalog.EventRow, err error) {
	var node string
	var from, to int64
	var evidence []byte
	if err := rows.Scan(&e.ID, &node, &e.Time, &from, &to, &e.Reason, &evidence, &e.Disputed); err != nil {
		return e, err
	}
	var errs [3]error
	if node != "" { // else it is the network's
		e.Node, errs[0] = toNode(node)
	}
	e.From, errs[1] = toStatus(from)
	e.To, errs[2] = toStatus(to)
	e.Evidence = string(evidence)
	if err := errors.Join(errs[:]...); err != nil {
		return e, fmt.Errorf("event %d: %w", e.ID, err)
	}
	return e, nil
}

// toStatus is for rows that nobody verifies later.
func toStatus(number int64) (discovery.Status, error) {
	if number < 0 || number > int64(discovery.Down) {
		return 0, fmt.Errorf("%w: status %d", database.ErrCorrupt, number)
	}
	return discovery.Status(number), nil
}
