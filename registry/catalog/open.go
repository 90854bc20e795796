package catalog

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/identity"
)

// Open claims the store, loads it and verifies every row: signatures and chains
// of all statements, the hash of every leaf and change list that is kept, the
// log, and that map and counts are those of the newest version. It then asks
// for the newest heads known elsewhere, writes version 1 into an empty store,
// and signs. Errors: [ErrForeignLog], [*CorruptError], [*FloorError],
// [*UnaskedError], [*HeadFileError], [*DivergedError], and failures of the store.
func (c *Catalog) Open(ctx context.Context) error {
	start := c.now()
	id := c.source.Identity()
	if err := c.storeResult(c.store.Claim(ctx, id.ID(), id.Bundle.NID())); err != nil {
		return fmt.Errorf("claiming the store: %w", err)
	}
	if err := c.load(ctx); err != nil {
		return err
	}
	if err := c.checkFloors(ctx); err != nil {
		return err
	}
	c.beginHeadFile(ctx)
	c.watchAll(ctx)
	// Whatever has ended meanwhile leaves before anything is served.
	if err := c.cycle(ctx, nil); err != nil {
		return err
	}
	if c.Snapshot() == nil {
		return fmt.Errorf("completing or signing the newest version: %w", identity.Refuse(identity.Unavailable, "see the log"))
	}
	head := c.state.head
	c.log.LogAttrs(ctx, slog.LevelInfo, "catalog loaded", slog.Int64("version", head.Version), slog.Int64("services", head.Services),
		slog.Int64("records", head.Records), slog.Duration("took", c.now().Sub(start)))
	return nil
}

// load reads and verifies the store. Errors of the store keep their kind.
func (c *Catalog) load(ctx context.Context) error {
	v := versions{id: c.id(), nid: c.bundle().NID(), network: c.bundle().TrustDomain().Network()}
	loaded, err := c.store.Load(ctx, v.add)
	if err := c.storeResult(err); err != nil {
		return fmt.Errorf("loading the store: %w", err)
	}
	if _, err := c.store.Events(ctx, EventQuery{Limit: 1}); c.storeResult(err) != nil { // that they can be read
		return fmt.Errorf("loading the store: %w", err)
	}
	c.state = &state{head: discovery.Head{Network: v.network, NID: v.nid, Registry: v.id, V: 1}}
	if loaded.Version == 0 && len(loaded.Nodes)+len(loaded.LogRows)+len(v.kept) == 0 {
		return nil
	}
	if c.state, err = v.newest(loaded); err != nil {
		return err
	}
	statements, err := verifyObjects(c.bundle(), loaded.Objects)
	if err != nil {
		return err
	}
	if err := c.loadPlaces(ctx, loaded.Nodes, statements); err != nil {
		return err
	}
	if err := c.rebuild(); err != nil {
		return err
	}
	return c.loadBeats(ctx, loaded.Beats)
}

// loadPlaces makes places of rows.
func (c *Catalog) loadPlaces(ctx context.Context, rows []NodeRow, statements map[identity.Hash]*identity.Statement) error {
	for _, row := range rows {
		c.dropMissing(ctx, &row, statements)
		p, err := placeOf(row, statements, c.state.head)
		if err != nil {
			return err
		}
		if c.places.byNode[row.Node] != nil {
			return corrupt(row.Node.String(), "two rows")
		}
		c.places.put(row.Node, p)
		if p.listed {
			c.expiries.add(p.state)
		}
	}
	return nil
}

// dropMissing takes out of a row what it names besides the state and the store
// does not hold. Neither is part of any root, so the log goes on; what is gone
// is evidence, or what a revoked operator's tombstone would uncover.
func (c *Catalog) dropMissing(ctx context.Context, row *NodeRow, statements map[identity.Hash]*identity.Statement) {
	for what, rid := range map[string]*identity.Hash{"evidence": &row.Evidence, "hidden": &row.Hidden} {
		if !rid.IsZero() && statements[*rid] == nil {
			c.log.LogAttrs(ctx, slog.LevelError, "statement missing in the store", slog.String("node", row.Node.String()), slog.String("what", what), slog.String("rid", rid.String()))
			*rid = identity.Hash{}
		}
	}
}

// placeOf joins a row with its statements, which were verified.
func placeOf(row NodeRow, statements map[identity.Hash]*identity.Statement, newest discovery.Head) (*place, error) {
	what := row.Node.String()
	p := &place{iat: row.GreatestIAT, applied: row.Applied, listed: row.Listed, status: row.Status, since: row.Since}
	for _, part := range []struct {
		to   **identity.Statement
		rid  identity.Hash
		need bool
	}{{&p.state, row.State, true}, {&p.hidden, row.Hidden, false}, {&p.evidence, row.Evidence, false}} {
		if part.rid.IsZero() && !part.need {
			continue
		}
		s := statements[part.rid]
		if s == nil || s.Node() != row.Node {
			return nil, corrupt(what, "the statement %s is missing", part.rid)
		}
		*part.to = s
	}
	if err := p.settle(); err != nil {
		return nil, corrupt(what, "%w", err)
	}
	if row.Applied < 1 || row.Applied > newest.Version || row.GreatestIAT < p.state.IssuedAt() {
		return nil, corrupt(what, "applied by version %d, greatest iat %d", row.Applied, row.GreatestIAT)
	}
	if row.Listed && (p.state.IsTombstone() || row.Status < discovery.Up || row.Status > discovery.Down || row.Since < 0 || row.Since > newest.Made) {
		return nil, corrupt(what, "listed as %s since %d", row.Status, row.Since)
	}
	if !row.Listed && (row.Status != 0 || row.Since != 0) {
		return nil, corrupt(what, "a status without being listed")
	}
	return p, nil
}

// settle puts the statements of a row where they belong, which must be one of
// the two things that a second and a third can be.
func (p *place) settle() error {
	if p.hidden != nil && (!p.state.ByOperator() || p.hidden.Compare(p.state) >= 0) {
		return fmt.Errorf("its state cannot hide the statement %s", p.hidden.RID())
	}
	if p.evidence == nil {
		return nil
	}
	if p.hidden != nil && p.hidden.ByOperator() && p.evidence.Compare(p.hidden) < 0 {
		p.beneath, p.evidence = p.evidence, nil
		return nil
	}
	if p.evidence.Epoch() != p.state.Epoch() || p.evidence.Sequence() != p.state.Sequence() || p.evidence.RID() == p.state.RID() {
		return fmt.Errorf("the statement %s is no evidence against its state", p.evidence.RID())
	}
	return nil
}

// rebuild makes services and map of the places, and compares them with what the
// newest version says.
func (c *Catalog) rebuild() error {
	byService, bytes := map[string][]discovery.Listed{}, map[string]int64{}
	records := int64(0)
	for node, p := range c.places.byNode {
		if p.listed {
			name := node.Service()
			byService[name] = append(byService[name], discovery.Listed{Record: p.state, Status: p.status, Since: p.since})
			bytes[name] += answerBytes(p.state)
			records++
		}
	}
	shelves := make(map[string]shelf, len(byService))
	for name, listed := range byService {
		shelves[name] = shelf{discovery.NewService(name, listed), bytes[name]}
	}
	head := c.state.head
	c.state.services = directory{}.with(shelves)
	c.state.tree = (prefixmap.Map{}).Apply(mapChanges(shelves, head.NID))
	if c.state.tree.Root() != head.Root || int64(len(shelves)) != head.Services || records != head.Records {
		return corrupt(versionName(head.Version), "%d records of %d services do not make the root that was signed, over %d of %d", records, len(shelves), head.Records, head.Services)
	}
	return nil
}

// loadBeats restores the heartbeats, verified again. One that does not verify is
// left out: its node sends another soon.
func (c *Catalog) loadBeats(ctx context.Context, rows []BeatRow) error {
	now := c.now()
	return inParallel(rows, func(row BeatRow) error {
		p := c.places.get(row.Node)
		if p == nil || !p.listed || p.state.RID() != row.RID {
			return nil
		}
		r, _ := p.state.Record()
		if _, err := c.beats.cell(row.RID).raise(r, row.Beat, now); err != nil {
			c.log.LogAttrs(ctx, slog.LevelWarn, "stored heartbeat left out", slog.String("node", row.Node.String()), slog.String("reason", err.Error()))
		}
		return nil
	})
}
