package catalog

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// A move is what one version does to one node.
type move struct {
	node   identity.NodeID
	old    *place // nil: unknown before
	next   *place
	reason discovery.Reason
	new    identity.Hash       // of the change list; zero: nothing came
	from   netip.Addr          // from where the node brought it; zero: it did not
	entry  *entry              // who waits for it; nil: nobody
	wish   *healthwatch.Change // why the status changes; nil: it does not
}

// A builder gathers what makes the next version. It touches nothing of the
// catalog's until the version is durable.
type builder struct {
	base    *state
	now     int64
	made    int64 // of the version under way
	crls    identity.Hash
	notice  string
	moves   map[identity.NodeID]move
	records map[string]int64 // what the moves add to a service's records
	bytes   map[string]int64 // and to its answer's bytes
	objects []Object
}

func newBuilder(base *state, now int64, crls identity.Hash) *builder {
	return &builder{
		base: base, now: now, made: max(now, base.head.Made), crls: crls,
		moves: map[identity.NodeID]move{}, records: map[string]int64{}, bytes: map[string]int64{},
	}
}

// empty reports whether there is nothing to make a version of.
func (b *builder) empty() bool {
	return len(b.moves) == 0 && b.crls == b.base.head.CRLs && b.notice == b.base.head.Notice
}

// full reports whether the version can take no further change.
func (b *builder) full() bool { return len(b.moves) >= discovery.MaxChanges }

// touched reports whether the version changes a node already.
func (b *builder) touched(node identity.NodeID) bool {
	_, ok := b.moves[node]
	return ok
}

// put makes next, of which the state is new or back, the place of its node. It
// refuses with [identity.Limits] the record that would make its service's
// answer too large.
func (b *builder) put(old, next *place, e *entry) error {
	next.applied = b.base.head.Version + 1
	reason := reasonOf(next.state)
	next.listed, next.status, next.since = false, 0, 0
	if !next.state.IsTombstone() {
		next.listed, next.status, next.since = true, discovery.Up, b.made
		if old != nil && old.listed && old.state.Epoch() == next.state.Epoch() {
			next.status, next.since = old.status, old.since
		}
	}
	records, bytes := growth(old, next)
	if err := b.checkRoom(next.state.Node().Service(), records, bytes); err != nil {
		return err
	}
	m := move{node: next.state.Node(), old: old, next: next, reason: reason, new: next.state.RID(), entry: e}
	if e != nil {
		m.from = e.from
	}
	b.add(m, records, bytes)
	b.objects = append(b.objects, stored(next.state, b.now))
	return nil
}

// remove takes a listed record out of the map for the given reason.
func (b *builder) remove(old *place, reason discovery.Reason) {
	next := old.unlisted()
	records, bytes := growth(old, next)
	b.add(move{node: old.state.Node(), old: old, next: next, reason: reason}, records, bytes)
}

// judge changes the status of a listed record.
func (b *builder) judge(old *place, wish healthwatch.Change) {
	next := *old
	next.status, next.since = discovery.Status(wish.Status), b.made
	b.add(move{node: wish.Node, old: old, next: &next, reason: discovery.ReasonStatus, new: old.state.RID(), wish: &wish}, 0, 0)
}

func (b *builder) add(m move, records, bytes int64) {
	b.moves[m.node] = m
	b.records[m.node.Service()] += records
	b.bytes[m.node.Service()] += bytes
}

// checkRoom holds a service below what one answer can carry.
func (b *builder) checkRoom(service string, records, bytes int64) error {
	sh := b.base.services.get(service)
	count := int64(0)
	if sh.service != nil {
		count = sh.service.Sum().Count
	}
	if records > 0 && count+b.records[service]+records > discovery.MaxServiceRecords {
		return identity.Refuse(identity.Limits, "the service %q has %d records, as many as one can have", service, count)
	}
	if bytes > 0 && sh.bytes+b.bytes[service]+bytes > discovery.MaxServiceBytes {
		return identity.Refuse(identity.Limits, "the records of the service %q have %d bytes, as many as one answer can carry", service, sh.bytes)
	}
	return nil
}

// growth returns what going from old to next adds to a service.
func growth(old, next *place) (records, bytes int64) {
	if next.listed {
		records, bytes = 1, answerBytes(next.state)
	}
	if old != nil && old.listed {
		records, bytes = records-1, bytes-answerBytes(old.state)
	}
	return records, bytes
}

func reasonOf(s *identity.Statement) discovery.Reason {
	switch {
	case s.ByOperator():
		return discovery.ReasonOperator
	case s.IsTombstone():
		return discovery.ReasonTombstone
	}
	return discovery.ReasonPut
}

// pending is a version that is to become durable.
type pending struct {
	batch Batch
	next  *state
	moves []move // by node
	tried bool   // the store was asked to commit it
}

// build makes the version of what was gathered.
func (b *builder) build() (*pending, error) {
	moves := slices.SortedFunc(maps.Values(b.moves), func(x, y move) int { return cmp.Compare(x.node.String(), y.node.String()) })
	changes, err := discovery.EncodeChanges(changesOf(moves))
	if err != nil {
		return nil, err
	}
	next := &state{head: b.base.head, changes: changes}
	shelves := b.shelves(moves)
	next.services = b.base.services.with(shelves)
	next.tree = b.base.tree.Apply(mapChanges(shelves, b.base.head.NID))
	next.head.Version++
	next.head.Made, next.head.CRLs, next.head.Notice, next.head.Changes = b.made, b.crls, b.notice, discovery.ChangesHash(changes)
	next.head.Root, next.head.Services = next.tree.Root(), int64(next.tree.Len())
	for _, records := range b.records {
		next.head.Records += records
	}
	batch := Batch{Objects: b.objects, Events: b.events(moves, next.head.Version)}
	if batch.LogRows, err = next.seal(b.base); err != nil {
		return nil, err
	}
	batch.Version = Version{Version: next.head.Version, Made: b.made, Leaf: next.leaf, Changes: changes}
	for _, m := range moves {
		batch.Nodes = append(batch.Nodes, m.next.row())
	}
	return &pending{batch: batch, next: next, moves: moves}, nil
}

// abandon answers whoever waits for a version that cannot be made.
func (b *builder) abandon() {
	for _, m := range b.moves {
		if m.entry != nil {
			m.entry.answer(nil, identity.Refuse(identity.Unavailable, "the version could not be made"))
		}
	}
}

// seal appends the version's leaf to the log of the version before.
func (s *state) seal(before *state) ([]translog.Row, error) {
	leaf, err := s.head.LogLeaf()
	if err != nil {
		return nil, err
	}
	s.leaf = leaf
	var rows []translog.Row
	s.log, rows = before.log.Append(leaf)
	root, err := s.log.Root(s.log.Size())
	s.head.Log = root
	return rows, err
}

func changesOf(moves []move) []discovery.Change {
	changes := make([]discovery.Change, 0, len(moves))
	for _, m := range moves {
		c := discovery.Change{Node: m.node, New: m.new, Reason: m.reason, Status: m.next.status, Since: m.next.since}
		if m.old != nil && m.old.listed {
			c.Old = m.old.state.RID()
		}
		changes = append(changes, c)
	}
	return changes
}

// shelves returns the services that the moves change, rebuilt.
func (b *builder) shelves(moves []move) map[string]shelf {
	byService := map[string][]move{}
	for _, m := range moves {
		if m.next.listed || m.old != nil && m.old.listed {
			byService[m.node.Service()] = append(byService[m.node.Service()], m)
		}
	}
	shelves := make(map[string]shelf, len(byService))
	for name, moves := range byService {
		old := b.base.services.get(name)
		shelves[name] = shelf{}
		if service := edited(name, old.service, moves); service.Sum().Count > 0 {
			shelves[name] = shelf{service, old.bytes + b.bytes[name]}
		}
	}
	return shelves
}

// edited returns a service after moves, which are sorted by node.
func edited(name string, old *discovery.Service, moves []move) *discovery.Service {
	if old == nil {
		old = discovery.NewService(name, nil)
	}
	edits := make([]discovery.Edit, 0, len(moves))
	for _, m := range moves {
		e := discovery.Edit{Node: m.node}
		if m.next.listed {
			e.Listed = &discovery.Listed{Record: m.next.state, Status: m.next.status, Since: m.next.since}
		}
		edits = append(edits, e)
	}
	return old.With(edits)
}

func mapChanges(shelves map[string]shelf, nid identity.Hash) []prefixmap.Change {
	changes := make([]prefixmap.Change, 0, len(shelves))
	for name, sh := range shelves {
		c := prefixmap.Change{Key: discovery.ServiceKey(nid, name), Delete: sh.service == nil}
		if sh.service != nil {
			c.Value = sh.service.Value()
		}
		changes = append(changes, c)
	}
	return changes
}
