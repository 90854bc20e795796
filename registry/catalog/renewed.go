package catalog

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// unsure returns the nodes that are not down by a record of the newest version,
// which may have lost another status: it is not known to have got a head. A node
// that only signed anew what was listed before is none of them.
func (c *Catalog) unsure(ctx context.Context) map[identity.NodeID]*place {
	mark, err := c.readHeadFile()
	if err == nil && mark != nil && mark.Version == c.state.head.Version {
		return nil
	}
	nodes := map[identity.NodeID]*place{}
	for node, p := range c.places.byNode {
		if p.listed && p.status != discovery.Down && p.applied == c.state.head.Version {
			nodes[node] = p
		}
	}
	old, err := c.replaced(ctx, nodes)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "nodes that signed anew may have to prove themselves again", storeAttrs(err)...)
	}
	for _, s := range old {
		if p := nodes[s.Node()]; p != nil && renews(s, p) {
			delete(nodes, s.Node())
		}
	}
	return nodes
}

// renews reports whether the record of a place is probed as the old one was:
// what that has proven holds.
func renews(old *identity.Statement, p *place) bool {
	before, now := listing(&place{state: old}), listing(p)
	return before.Epoch == now.Epoch && before.Endpoint == now.Endpoint && before.Check == now.Check
}

// replaced returns the records that were listed before the newest version, of
// those nodes whose status is from before it. With an error it returns those
// that could be had.
func (c *Catalog) replaced(ctx context.Context, nodes map[identity.NodeID]*place) ([]*identity.Statement, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	changes, err := discovery.ParseChanges(c.state.changes) // a leaf of the log vouches for them
	if err != nil {
		return nil, err
	}
	owners := map[identity.Hash]identity.NodeID{}
	for _, change := range changes {
		if p := nodes[change.Node]; p != nil && p.since < c.state.head.Made && !change.Old.IsZero() {
			owners[change.Old] = change.Node
		}
	}
	if len(owners) == 0 {
		return nil, nil
	}
	objects, err := c.store.Objects(ctx, slices.Collect(maps.Keys(owners)))
	if err := c.storeResult(err); err != nil {
		return nil, fmt.Errorf("reading earlier records: %w", err)
	}
	old := verifyRecords(c.bundle(), objects, owners)
	if len(old) < len(owners) {
		err = fmt.Errorf("of %d earlier records %d are missing or altered in the store", len(owners), len(owners)-len(old))
	}
	return old, err
}

// verifyRecords returns which objects are those records of owners. Any other
// costs only its own node.
func verifyRecords(bundle *identity.Bundle, objects []Object, owners map[identity.Hash]identity.NodeID) []*identity.Statement {
	issuers := issuerCache{parsed: map[string]*x509.Certificate{}}
	var mu sync.Mutex
	var records []*identity.Statement
	_ = inParallel(objects, func(o Object) error {
		s, err := verifyObject(bundle, o, &issuers)
		if err == nil && !s.IsTombstone() && owners[s.RID()] == s.Node() {
			mu.Lock()
			defer mu.Unlock()
			records = append(records, s)
		}
		return nil
	})
	return records
}
