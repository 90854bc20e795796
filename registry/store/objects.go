package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// Objects are read with their certificates.
const (
	objectColumns = `SELECT o.rid, o.node, o.token, o.accepted_at, o.issuer, l.der, i.der `

	theirCertificates = `
		LEFT JOIN certificate AS l ON l.network = o.network AND l.thumbprint = o.leaf
		LEFT JOIN certificate AS i ON i.network = o.network AND i.thumbprint = o.issuer `

	selectObjects = objectColumns + `FROM node AS n
		JOIN object AS o ON o.network = n.network AND o.rid IN (n.state, n.hidden, n.evidence) AND o.node = n.node` +
		theirCertificates + `WHERE n.network = $1`

	selectNamedObjects = objectColumns + `FROM object AS o` + theirCertificates + `WHERE o.network = $1 AND o.rid IN `
)

// namesPerQuery keeps a statement's arguments below what either engine takes.
const namesPerQuery = 500

// Objects returns those of the named statements that it holds, as of one moment.
// A row that cannot be what the store wrote is [database.ErrCorrupt].
func (s *Store) Objects(ctx context.Context, rids []identity.Hash) ([]catalog.Object, error) {
	r := newObjectReader()
	err := s.db.Read(ctx, func(q *database.Query) error {
		for names := range slices.Chunk(rids, namesPerQuery) {
			args := make([]any, 0, len(names))
			for _, rid := range names {
				args = append(args, rid[:])
			}
			if err := s.scan(ctx, q, selectNamedObjects+places(len(names)), r.add, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading objects: %w", err)
	}
	return r.all, nil
}

// places returns "($2, $3)" for two arguments after the first.
func places(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(i+2)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// An objectReader makes objects of rows. They share the bytes of the issuers, of
// which there are few.
type objectReader struct {
	all     []catalog.Object
	issuers map[string][]byte // by thumbprint
}

func newObjectReader() *objectReader { return &objectReader{issuers: make(map[string][]byte)} }

func (r *objectReader) add(rows *database.Rows) error {
	var o catalog.Object
	var node string
	var rid, token, issuer []byte
	if err := rows.Scan(&rid, &node, &token, &o.AcceptedAt, &issuer, &o.Leaf, &o.Issuer); err != nil {
		return err
	}
	var errs [2]error
	o.RID, errs[0] = toHash(rid)
	o.Node, errs[1] = toNode(node)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if len(o.Leaf) == 0 || len(o.Issuer) == 0 {
		return fmt.Errorf("%w: object %s has lost a certificate", database.ErrCorrupt, o.RID)
	}
	if known, ok := r.issuers[string(issuer)]; ok {
		o.Issuer = known
	}
	r.issuers[string(issuer)] = o.Issuer
	o.Token = string(token)
	r.all = append(r.all, o)
	return nil
}

func (s *Store) loadObjects(ctx context.Context, q *database.Query) ([]catalog.Object, error) {
	r := newObjectReader()
	err := s.scan(ctx, q, selectObjects, r.add)
	return r.all, err
}
