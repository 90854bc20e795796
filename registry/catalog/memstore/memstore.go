// Package memstore is a catalog's store in memory: for tests, which can make it
// fail or lie, and as the measure for stores that are durable.
package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// Contents is all that a store holds.
type Contents struct {
	Registry identity.NodeID // who claimed it; zero: nobody
	NID      identity.Hash
	Newest   int64
	Versions map[int64]catalog.Version // of which leaf and change list are kept
	LogRows  []translog.Row
	Objects  map[identity.Hash]catalog.Object
	Nodes    map[identity.NodeID]catalog.NodeRow
	Beats    map[identity.NodeID]catalog.BeatRow
	Events   []catalog.EventRow // by rising ID
}

// An Op is a method of the store that can be made to fail.
type Op string

// The methods that can fail.
const (
	Claim     Op = "claim"
	Load      Op = "load"
	Commit    Op = "commit"
	Keep      Op = "keep"
	Version   Op = "version"
	Objects   Op = "objects"
	SaveBeats Op = "save beats"
	Events    Op = "events"
	Prune     Op = "prune"
	Ping      Op = "ping"
)

// A Fault decides whether a call fails. It is asked twice: before anything has
// happened, and with done set when all has; its error is what the caller hears.
type Fault func(op Op, done bool) error

// A Store implements [catalog.Store]. Make one with [New].
type Store struct {
	mu    sync.Mutex
	now   Contents // guarded by mu
	fault Fault    // guarded by mu; nil: nothing fails
}

var _ catalog.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{now: Contents{
		Versions: map[int64]catalog.Version{}, Objects: map[identity.Hash]catalog.Object{},
		Nodes: map[identity.NodeID]catalog.NodeRow{}, Beats: map[identity.NodeID]catalog.BeatRow{},
	}}
}

// SetFault makes calls fail from now on; nil ends it.
func (s *Store) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Contents returns a copy of what the store holds.
func (s *Store) Contents() Contents {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.now
	c.Versions, c.Objects = maps.Clone(c.Versions), maps.Clone(c.Objects)
	c.Nodes, c.Beats, c.LogRows = maps.Clone(c.Nodes), maps.Clone(c.Beats), slices.Clone(c.LogRows)
	c.Events = slices.Clone(c.Events)
	return c
}

// Edit lets a test do what nobody should be able to do unnoticed.
func (s *Store) Edit(edit func(*Contents)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.now)
}

// do runs one operation between its two chances to fail. It holds the lock
// except while it asks, so that a fault may look at the store.
func (s *Store) do(ctx context.Context, op Op, step func(*Contents) error) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if fault != nil {
		if err := fault(op, false); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := step(&s.now)
	s.mu.Unlock()
	if err == nil && fault != nil {
		err = fault(op, true)
	}
	return err
}

// Claim implements [catalog.Store].
func (s *Store) Claim(ctx context.Context, registry identity.NodeID, nid identity.Hash) error {
	return s.do(ctx, Claim, func(c *Contents) error {
		if c.Registry.IsZero() {
			c.Registry, c.NID = registry, nid
		}
		if c.Registry != registry || c.NID != nid {
			return catalog.ErrForeignLog
		}
		return nil
	})
}

// Load implements [catalog.Store].
func (s *Store) Load(ctx context.Context, each func(catalog.Version) error) (catalog.Loaded, error) {
	var l catalog.Loaded
	err := s.do(ctx, Load, func(c *Contents) error {
		for _, v := range slices.Sorted(maps.Keys(c.Versions)) {
			if err := each(c.Versions[v]); err != nil {
				return err
			}
		}
		l = catalog.Loaded{
			Version: c.Newest, LogRows: slices.Clone(c.LogRows),
			Nodes: slices.Collect(maps.Values(c.Nodes)), Beats: slices.Collect(maps.Values(c.Beats)),
		}
		for rid := range referred(c) {
			if o, ok := c.Objects[rid]; ok {
				l.Objects = append(l.Objects, o)
			}
		}
		return nil
	})
	return l, err
}

// referred returns the statements that node rows refer to.
func referred(c *Contents) map[identity.Hash]struct{} {
	rids := map[identity.Hash]struct{}{}
	for _, n := range c.Nodes {
		rids[n.State], rids[n.Hidden], rids[n.Evidence] = struct{}{}, struct{}{}, struct{}{}
	}
	return rids
}

// Commit implements [catalog.Store].
func (s *Store) Commit(ctx context.Context, b catalog.Batch) error {
	return s.do(ctx, Commit, func(c *Contents) error {
		if b.Version.Version <= c.Newest {
			return catalog.ErrConflict
		}
		c.Newest = b.Version.Version
		c.Versions[c.Newest] = b.Version
		c.LogRows = append(c.LogRows, b.LogRows...)
		c.keep(b.Objects, b.Nodes)
		for _, e := range b.Events {
			if i, found := c.findEvent(e); !found {
				c.Events = slices.Insert(c.Events, i, e)
			}
		}
		return nil
	})
}

// findEvent returns where the event with the ID of e is, or belongs.
func (c *Contents) findEvent(e catalog.EventRow) (int, bool) {
	return slices.BinarySearchFunc(c.Events, e, func(a, b catalog.EventRow) int { return cmp.Compare(a.ID, b.ID) })
}

// Keep implements [catalog.Store].
func (s *Store) Keep(ctx context.Context, objects []catalog.Object, nodes []catalog.NodeRow) error {
	return s.do(ctx, Keep, func(c *Contents) error {
		for _, n := range nodes {
			if have, stored := c.Nodes[n.Node]; stored && (have.State != n.State || have.Applied != n.Applied) {
				return catalog.ErrConflict
			}
		}
		c.keep(objects, nodes)
		return nil
	})
}

func (c *Contents) keep(objects []catalog.Object, nodes []catalog.NodeRow) {
	for _, o := range objects {
		if _, stored := c.Objects[o.RID]; !stored {
			c.Objects[o.RID] = o
		}
	}
	for _, n := range nodes {
		c.Nodes[n.Node] = n
	}
}

// Version implements [catalog.Store].
func (s *Store) Version(ctx context.Context, version int64) (catalog.Version, error) {
	var v catalog.Version
	err := s.do(ctx, Version, func(c *Contents) error {
		var ok bool
		if v, ok = c.Versions[version]; !ok {
			return catalog.ErrNoVersion
		}
		return nil
	})
	return v, err
}

// Objects implements [catalog.Store].
func (s *Store) Objects(ctx context.Context, rids []identity.Hash) ([]catalog.Object, error) {
	var all []catalog.Object
	err := s.do(ctx, Objects, func(c *Contents) error {
		for _, rid := range rids {
			if o, ok := c.Objects[rid]; ok {
				all = append(all, o)
			}
		}
		return nil
	})
	return all, err
}

// SaveBeats implements [catalog.Store].
func (s *Store) SaveBeats(ctx context.Context, beats []catalog.BeatRow) error {
	return s.do(ctx, SaveBeats, func(c *Contents) error {
		for _, b := range beats {
			if have := c.Beats[b.Node]; have.RID != b.RID || have.Beat.K < b.Beat.K {
				c.Beats[b.Node] = b
			}
		}
		return nil
	})
}

// Events implements [catalog.Store].
func (s *Store) Events(ctx context.Context, q catalog.EventQuery) ([]catalog.EventRow, error) {
	var all []catalog.EventRow
	err := s.do(ctx, Events, func(c *Contents) error {
		for _, e := range c.Events {
			if e.ID > q.After && (q.Node.IsZero() || e.Node == q.Node) && (q.Service == "" || e.Node.Service() == q.Service) {
				all = append(all, e)
			}
		}
		return nil
	})
	if q.Newest {
		return all[max(0, len(all)-q.Limit):], err
	}
	return all[:min(len(all), q.Limit)], err
}

// Prune implements [catalog.Store].
func (s *Store) Prune(ctx context.Context, h catalog.Horizon) error {
	return s.do(ctx, Prune, func(c *Contents) error {
		maps.DeleteFunc(c.Versions, func(n int64, v catalog.Version) bool { return n != c.Newest && v.Made < h.Made })
		for node, n := range c.Nodes {
			if !n.Listed && n.GreatestIAT <= h.IAT {
				delete(c.Nodes, node)
				delete(c.Beats, node)
			}
		}
		c.pruneEvents(h.Events)
		used := referred(c)
		maps.DeleteFunc(c.Objects, func(rid identity.Hash, o catalog.Object) bool {
			_, needed := used[rid]
			return !needed && o.AcceptedAt < h.Made
		})
		return nil
	})
}

// pruneEvents leaves the newest keep events of each node that is known, and of
// the network.
func (c *Contents) pruneEvents(keep int) {
	kept := map[identity.NodeID]int{}
	var stay []catalog.EventRow
	for _, e := range slices.Backward(c.Events) {
		if _, known := c.Nodes[e.Node]; (known || e.Node.IsZero()) && kept[e.Node] < keep {
			kept[e.Node]++
			stay = append(stay, e)
		}
	}
	slices.Reverse(stay)
	c.Events = stay
}

// Ping implements [catalog.Store].
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, Ping, func(*Contents) error { return nil })
}
