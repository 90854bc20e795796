package catalog

import (
	"sync/atomic"
	"time"
)

// counters only grow, but for the last two.
type counters struct {
	registered, repeated, refused, tombstones, expired, revoked, equivocations atomic.Int64
	beats, beatsRefused, versions, heads, storeErrors, commitMicros            atomic.Int64
	committerPanics, writerPanics                                              atomic.Int64
	storeOK                                                                    atomic.Int64 // Unix seconds
	doubt                                                                      atomic.Bool
}

// Stats are the catalog's numbers. Those of the first group only grow.
type Stats struct {
	Registered    int64 // records that became a state
	Repeated      int64 // statements that were the state already
	Refused       int64 // statements
	Tombstones    int64
	Expired       int64
	Revoked       int64
	Equivocations int64
	Beats         int64
	BeatsRefused  int64
	Versions      int64         // committed since the start
	Heads         int64         // signed since the start
	StoreErrors   int64         // calls that failed
	CommitTime    time.Duration // spent in the store by all versions
	// Bugs that were caught: of the committer, which ends with one; of what writes
	// heartbeats, prunes and watches the nodes' health, which goes on; of probes.
	CommitterPanics, WriterPanics, ProberPanics int64

	Version  int64 // the newest
	Services int64
	Records  int64
	HeadAge  time.Duration // since the newest head was signed
	StoreAge time.Duration // since the store last answered
	Doubt    bool          // a version's outcome is unknown: nothing can be committed
}

// Stats returns the numbers of now.
func (c *Catalog) Stats() Stats {
	n := &c.stats
	s := Stats{
		Registered: n.registered.Load(), Repeated: n.repeated.Load(), Refused: n.refused.Load(), Tombstones: n.tombstones.Load(),
		Expired: n.expired.Load(), Revoked: n.revoked.Load(), Equivocations: n.equivocations.Load(),
		Beats: n.beats.Load(), BeatsRefused: n.beatsRefused.Load(), Versions: n.versions.Load(), Heads: n.heads.Load(),
		StoreErrors: n.storeErrors.Load(), CommitTime: time.Duration(n.commitMicros.Load()) * time.Microsecond,
		Doubt: n.doubt.Load(), CommitterPanics: n.committerPanics.Load(), WriterPanics: n.writerPanics.Load(),
	}
	if c.health != nil {
		s.ProberPanics = c.health.Panics()
	}
	now := c.now()
	if snapshot := c.Snapshot(); snapshot != nil {
		head := snapshot.Head()
		s.Version, s.Services, s.Records = head.Version, head.Services, head.Records
		s.HeadAge = now.Sub(time.Unix(head.IAT, 0))
	}
	if ok := n.storeOK.Load(); ok != 0 {
		s.StoreAge = now.Sub(time.Unix(ok, 0))
	}
	return s
}
