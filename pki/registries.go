package pki

import (
	"context"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
)

// An address is one URL at which one registry of a network is reached.
type address struct{ node, url string }

// A markRow is the newest verified head of one registry.
type markRow struct {
	node         string
	mark         identity.RegistryMark
	seenAt       time.Time
	crls, bundle string
}

// setRegistry makes addresses those of one registry; what another registry had
// of them goes over to it.
func setRegistry(ctx context.Context, tx *database.Tx, network, node string, urls []string) error {
	args := make([][]any, 0, len(urls))
	for _, url := range urls {
		args = append(args, []any{network, url, node})
	}
	_, err := tx.ExecMany(ctx, `INSERT INTO registries (network, url, node) VALUES ($1, $2, $3)
		ON CONFLICT (network, url) DO UPDATE SET node = excluded.node`, args)
	return err
}

func (s *store) addRegistry(ctx context.Context, network, node, url string) error {
	defer s.changed.Add(1)
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		return setRegistry(ctx, tx, network, node, []string{url})
	})
	return storeError("adding a registry", err)
}

func (s *store) removeRegistry(ctx context.Context, network, url string) error {
	defer s.changed.Add(1)
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		n, err := tx.Exec(ctx, `DELETE FROM registries WHERE network = $1 AND url = $2`, network, url)
		if err == nil && n == 0 {
			err = identity.Refuse(identity.NotFound, "no registry of %s has the address %q", network, url)
		}
		return err
	})
	return storeError("removing a registry", err)
}

// addresses returns those of a network, by registry and URL.
func (s *store) addresses(ctx context.Context, network string) ([]address, error) {
	var found []address
	err := s.db.Read(ctx, func(q *database.Query) error {
		rows, err := q.Query(ctx, `SELECT node, url FROM registries WHERE network = $1 ORDER BY node, url`, network)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a address
			if err := rows.Scan(&a.node, &a.url); err != nil {
				return err
			}
			found = append(found, a)
		}
		return rows.Err()
	})
	return found, storeError("reading the registries", err)
}

// marks returns those of a network by registry.
func (s *store) marks(ctx context.Context, network string) (map[string]markRow, error) {
	found := map[string]markRow{}
	err := s.db.Read(ctx, func(q *database.Query) error {
		rows, err := q.Query(ctx, `SELECT node, version, root, log, made, seen_at, crls, bundle
			FROM marks WHERE network = $1`, network)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var m markRow
			var root, log []byte
			var seen int64
			if err := rows.Scan(&m.node, &m.mark.Version, &root, &log, &m.mark.Made, &seen, &m.crls, &m.bundle); err != nil {
				return err
			}
			copy(m.mark.Root[:], root)
			copy(m.mark.Log[:], log)
			m.seenAt = moment(seen)
			found[m.node] = m
		}
		return rows.Err()
	})
	return found, storeError("reading the marks", err)
}

// raiseMark stores a mark in place of known, against which it was verified, or
// as the first one when known is nil. It reports false, and changes nothing,
// when another mark stands there by now: nobody has compared the two.
func (s *store) raiseMark(ctx context.Context, network string, known *identity.RegistryMark, m markRow) (raised bool, err error) {
	defer s.changed.Add(1)
	err = s.db.Write(ctx, func(tx *database.Tx) error {
		var n int64
		var err error
		switch known {
		case nil:
			n, err = firstMark(ctx, tx, network, m)
		default:
			n, err = replaceMark(ctx, tx, network, *known, m)
		}
		raised = n == 1
		return err
	})
	return raised && err == nil, storeError("storing a mark", err)
}

func firstMark(ctx context.Context, tx *database.Tx, network string, m markRow) (int64, error) {
	return tx.Exec(ctx, `INSERT INTO marks (network, node, version, root, log, made, seen_at, crls, bundle)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (network, node) DO NOTHING`,
		network, m.node, m.mark.Version, m.mark.Root[:], m.mark.Log[:], m.mark.Made, m.seenAt.Unix(), m.crls, m.bundle)
}

func replaceMark(ctx context.Context, tx *database.Tx, network string, known identity.RegistryMark, m markRow) (int64, error) {
	return tx.Exec(ctx, `UPDATE marks SET version = $3, root = $4, log = $5, made = $6, seen_at = $7, crls = $8, bundle = $9
		WHERE network = $1 AND node = $2 AND version = $10 AND root = $11 AND log = $12`,
		network, m.node, m.mark.Version, m.mark.Root[:], m.mark.Log[:], m.mark.Made, m.seenAt.Unix(), m.crls, m.bundle,
		known.Version, known.Root[:], known.Log[:])
}
