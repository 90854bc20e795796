package catalog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// lateAfter is by how much a token may be behind its time before its node is
// told.
const lateAfter = 10 * time.Second

// A BeatOutcome answers a heartbeat.
type BeatOutcome struct {
	RID      identity.Hash
	Status   discovery.Status
	Time     int64 // the registry's clock, Unix seconds
	Late     bool  // the token came more than 10 s after its time
	Snapshot *Snapshot
}

// Beat takes a heartbeat of the record rid from its node. The same or a lower
// token is harmless. Refusals: [*SupersededError] when another statement is the
// node's state, [identity.NotFound] when nothing is listed, [identity.Limits],
// [identity.BadTime] and [identity.BadSignature] as Record.VerifyBeat says.
func (c *Catalog) Beat(ctx context.Context, peer Peer, rid identity.Hash, b identity.Beat) (*BeatOutcome, error) {
	out, err := c.beat(peer, rid, b)
	if err != nil {
		c.stats.beatsRefused.Add(1)
		c.auditBeat(ctx, peer.ID(), rid, err)
		return nil, err
	}
	c.stats.beats.Add(1)
	return out, nil
}

func (c *Catalog) beat(peer Peer, rid identity.Hash, b identity.Beat) (*BeatOutcome, error) {
	node := peer.ID()
	p := inOrder(c.places.get(node), c.bundle())
	if p == nil {
		return nil, identity.Refuse(identity.NotFound, "nothing is known of %s", node)
	}
	if p.state.RID() != rid {
		if l, shown := c.Snapshot().listing(node); shown && l.Record.RID() == rid {
			return c.raise(peer, l.Record, l.Status, b) // its successor is in no version that was shown yet
		}
		return nil, &SupersededError{p.state}
	}
	if _, ok := p.state.Record(); !ok || !p.listed {
		return nil, identity.Refuse(identity.NotFound, "the record of %s is not listed any more", node)
	}
	return c.raise(peer, p.state, p.status, b)
}

// raise takes a heartbeat of a listed record.
func (c *Catalog) raise(peer Peer, record *identity.Statement, status discovery.Status, b identity.Beat) (*BeatOutcome, error) {
	node, rid, now := peer.ID(), record.RID(), c.now()
	r, _ := record.Record()
	at := c.beats.cell(rid)
	raised, err := at.raise(r, b, now)
	if err != nil {
		return nil, err
	}
	if raised {
		c.beats.soil(node, rid, at)
		c.heard(node, peer.From)
	}
	due := time.Unix(r.IAT+b.K*r.Heartbeat.Interval, 0)
	return &BeatOutcome{
		RID: rid, Status: status, Time: now.Unix(), Late: now.Sub(due) > lateAfter, Snapshot: c.Snapshot(),
	}, nil
}

// Interval returns how often the record of a node promises a heartbeat; ok is
// false if none is listed.
func (c *Catalog) Interval(node identity.NodeID) (interval time.Duration, ok bool) {
	p := c.places.get(node)
	if p == nil || !p.listed {
		return 0, false
	}
	r, _ := p.state.Record() // what is listed is a record
	return time.Duration(r.Heartbeat.Interval) * time.Second, true
}

// beats holds the greatest heartbeat of each listed record in memory.
type beats struct {
	mu    sync.RWMutex
	cells map[identity.Hash]*cell       // by rid; guarded by mu
	dirty map[identity.NodeID]dirtyBeat // not stored yet; guarded by mu
}

type cell struct{ beat atomic.Pointer[identity.Beat] }

type dirtyBeat struct {
	rid  identity.Hash
	cell *cell
}

// get returns the greatest heartbeat of a record; the zero Beat before the first.
func (bs *beats) get(rid identity.Hash) identity.Beat {
	bs.mu.RLock()
	at := bs.cells[rid]
	bs.mu.RUnlock()
	return at.load()
}

func (at *cell) load() identity.Beat {
	if at == nil {
		return identity.Beat{}
	}
	if b := at.beat.Load(); b != nil {
		return *b
	}
	return identity.Beat{}
}

// raise verifies a heartbeat and keeps it if it is greater than the last.
func (at *cell) raise(r *identity.Record, b identity.Beat, now time.Time) (raised bool, err error) {
	for {
		before := at.beat.Load()
		last := identity.Beat{}
		if before != nil {
			last = *before
		}
		counts, err := r.VerifyBeat(b, last, now)
		if err != nil || counts == last {
			return false, err
		}
		if at.beat.CompareAndSwap(before, &counts) {
			return true, nil
		}
	}
}

// cell returns where the heartbeats of a record are kept.
func (bs *beats) cell(rid identity.Hash) *cell {
	bs.mu.RLock()
	at := bs.cells[rid]
	bs.mu.RUnlock()
	if at != nil {
		return at
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.cells[rid] == nil {
		bs.cells[rid] = &cell{}
	}
	return bs.cells[rid]
}

func (bs *beats) soil(node identity.NodeID, rid identity.Hash, at *cell) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.dirty[node] = dirtyBeat{rid, at}
}

// drop forgets the heartbeats of a record that is not listed any more.
func (bs *beats) drop(rid identity.Hash) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	delete(bs.cells, rid)
}

// sweep drops what heartbeats of other records than these have left behind: one
// may come while its record is being replaced.
func (bs *beats) sweep(listed map[identity.Hash]struct{}) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for rid := range bs.cells {
		if _, ok := listed[rid]; !ok {
			delete(bs.cells, rid)
		}
	}
}

// flush stores what has changed since the last flush; what cannot be stored
// waits for the next.
func (bs *beats) flush(ctx context.Context, store Store) error {
	bs.mu.Lock()
	dirty := bs.dirty
	bs.dirty = map[identity.NodeID]dirtyBeat{}
	bs.mu.Unlock()
	if len(dirty) == 0 {
		return nil
	}
	rows := make([]BeatRow, 0, len(dirty))
	for node, d := range dirty {
		rows = append(rows, BeatRow{Node: node, RID: d.rid, Beat: d.cell.load()})
	}
	err := store.SaveBeats(ctx, rows)
	if err != nil {
		bs.restoreDirty(dirty)
	}
	return err
}

func (bs *beats) restoreDirty(dirty map[identity.NodeID]dirtyBeat) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	for node, d := range dirty {
		if _, newer := bs.dirty[node]; !newer {
			bs.dirty[node] = d
		}
	}
}
