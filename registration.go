package netget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

const (
	closeTimeout   = 5 * time.Second
	firstStraggle  = time.Second // what slower registries get after the first acceptance
	raiseInterval  = time.Minute // between two new epochs for somebody else's statements
	minResignDelay = time.Second
)

// A registration keeps one node's record fresh and present at all its
// registries: a keeper signs it anew, a publisher for each registry brings it
// there and sends the heartbeats.
type registration struct {
	session *session
	once    bool            // the record is signed to live without heartbeats
	ctx     context.Context //nolint:containedctx // the life of keeper and publishers
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu         sync.Mutex
	current    *signed               // guarded by mu
	changed    chan struct{}         // closed when current changes; guarded by mu
	news       chan struct{}         // closed when a publisher has tried; guarded by mu
	publishers map[string]*publisher // by URL; guarded by mu
	place      nodeState             // the last place signed for; guarded by mu
	accepted   bool                  // by any registry since the start; guarded by mu
	stopped    bool                  // no publisher starts any more; guarded by mu
	removed    bool                  // by an operator; guarded by mu
	gone       chan struct{}         // closed when removed becomes true
	shared     bool                  // somebody else signs as this node; guarded by mu
	raised     time.Time             // when the epoch was last raised for that; guarded by mu
	volatile   error                 // why the place could not be written; guarded by mu
}

// signed is a record with the secret behind its heartbeats.
type signed struct {
	statement *identity.Statement
	record    *identity.Record
	chain     *identity.Chain
}

func (s *session) newRegistration(once bool) (*registration, error) {
	now := s.opts.Now().Unix()
	place, err := s.savedPlace(s.ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	r := &registration{
		session: s, once: once, ctx: ctx, cancel: cancel, publishers: map[string]*publisher{}, place: place,
		changed: make(chan struct{}), news: make(chan struct{}), gone: make(chan struct{}),
	}
	if err := r.signNew(max(now, place.Epoch+1)); err != nil {
		cancel()
		return nil, err
	}
	return r, nil
}

// signNew signs the record for a new epoch.
func (r *registration) signNew(epoch int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.session.opts.Now()
	return r.sign(epoch, 1+int64(now.Nanosecond()/1000), nil)
}

// signNext signs the record anew in its epoch.
func (r *registration) signNext() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sign(r.place.Epoch, r.place.Sequence+1, r.current)
}

// sign makes the record for a place that is on disk before anybody gets it;
// r.mu is held. A record that would end no later than old is not signed.
func (r *registration) sign(epoch, sequence int64, old *signed) error {
	s := r.session
	i := s.source.Identity()
	now := s.opts.Now().Unix()
	record, chain, err := s.newRecord(i, epoch, sequence, max(now, r.place.IAT), r.once)
	if err != nil {
		return err
	}
	if old != nil && record.Exp <= old.record.Exp && old.statement.Certificate().Thumbprint() == i.Credential.Thumbprint() {
		return nil
	}
	statement, err := identity.SignRecord(record, i.Credential, i.Bundle)
	if code := identity.CodeOf(err); code == identity.Malformed || code == identity.Limits {
		return &OptionsError{err}
	}
	if err != nil {
		return fmt.Errorf("signing the record: %w", err)
	}
	place := nodeState{Epoch: epoch, Sequence: sequence, IAT: record.IAT, Registered: true}
	if r.volatile = place.save(s.source.Folder()); r.volatile != nil {
		s.opts.Logger.LogAttrs(r.ctx, slog.LevelWarn, "node state not written", slog.Any("error", r.volatile))
	}
	full, _ := statement.Record()
	r.place = place
	r.current = &signed{statement, full, chain}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// newRecord fills in a record from the options.
func (s *session) newRecord(i *identity.Identity, epoch, sequence, iat int64, once bool) (identity.Record, *identity.Chain, error) {
	endpoints, err := s.opts.endpoints()
	if err != nil {
		return identity.Record{}, nil, err
	}
	life, interval := int64(s.opts.TTL/time.Second), int64(s.opts.HeartbeatInterval/time.Second)
	if once {
		life = min(life, int64(time.Hour/time.Second))
	}
	life = min(life, i.Credential.Leaf().NotAfter.Unix()-iat, identity.MaxHeartbeats*interval)
	if life < 1 {
		return identity.Record{}, nil, identity.Refuse(identity.BadTime, "%w at %s", ErrExpired, i.Credential.Leaf().NotAfter.UTC().Format(time.RFC3339))
	}
	if once {
		interval = life // so that the record is live to its end without a heartbeat
	}
	count := (life + interval - 1) / interval
	chain, err := identity.NewChain(i.ID(), int(count))
	if err != nil {
		return identity.Record{}, nil, err
	}
	return identity.Record{
		Check: s.opts.check(), Endpoints: endpoints, Epoch: epoch, Exp: iat + life, IAT: iat, Sequence: sequence,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: count, Interval: interval},
		Metadata:  s.opts.Metadata, State: s.state(),
	}, chain, nil
}

// now returns the current record and a channel that is closed when there is a
// newer one.
func (r *registration) now() (*signed, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.changed
}

// follow starts a publisher for each registry address that has none, and ends
// those of addresses that are gone. A nil registration has nothing to do.
func (r *registration) follow() {
	if r == nil {
		return
	}
	remotes := r.session.client.Remotes()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	for _, remote := range remotes {
		if _, running := r.publishers[remote.URL()]; running {
			continue
		}
		p := newPublisher(r, remote)
		r.publishers[remote.URL()] = p
		r.work.Go(p.run)
	}
	for url, p := range r.publishers {
		if !slices.ContainsFunc(remotes, func(remote *discovery.Remote) bool { return remote.URL() == url }) {
			p.cancel()
			delete(r.publishers, url)
		}
	}
}

// keep signs the record anew at half of its life, and under a new certificate
// as soon as there is one.
func (r *registration) keep() {
	for {
		current, _ := r.now()
		renewed := r.session.source.Changed()
		if r.session.source.Identity().Credential.Thumbprint() == current.statement.Certificate().Thumbprint() {
			timer := time.NewTimer(r.resignDelay(current))
			select {
			case <-r.ctx.Done():
				timer.Stop()
				return
			case <-renewed:
				timer.Stop()
				continue
			case <-timer.C:
			}
		}
		if err := r.signNext(); err != nil {
			r.session.opts.Logger.LogAttrs(r.ctx, slog.LevelError, "record not signed anew", slog.Any("error", err))
			if !r.pause(minResignDelay * 10) {
				return
			}
		}
	}
}

// resignDelay is until half of the record's life, or, where signing again
// would not move its end, until a quarter of what is left.
func (r *registration) resignDelay(s *signed) time.Duration {
	now := r.session.opts.Now().Unix()
	half := s.record.IAT + (s.record.Exp-s.record.IAT)/2
	if now < half {
		return time.Duration(half-now) * time.Second
	}
	return max(minResignDelay, time.Duration(s.record.Exp-now)*time.Second/4)
}

func (r *registration) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// resolve decides what to do about a later statement that a registry holds of
// this node, where ours was refused.
func (r *registration) resolve(ours *signed, theirs *identity.Statement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != ours || theirs == nil || theirs.RID() == ours.statement.RID() {
		return nil // overtaken, a word that does not verify, or our own record
	}
	now := r.session.opts.Now()
	order := cmp.Or(cmp.Compare(theirs.Epoch(), ours.record.Epoch), cmp.Compare(theirs.Sequence(), ours.record.Sequence))
	if order < 0 {
		return nil // ours is the later one: it is posted again
	}
	if theirs.ByOperator() && r.accepted {
		if !r.removed {
			r.removed = true
			close(r.gone)
		}
		r.session.opts.Logger.LogAttrs(r.ctx, slog.LevelError, "removed-by-operator", slog.String("operator", theirs.Certificate().ID().String()))
		return ErrRemoved
	}
	if r.accepted {
		r.shared = true
		r.session.opts.Logger.LogAttrs(r.ctx, slog.LevelWarn, "identity-shared", slog.String("rid", theirs.RID().String()))
		if now.Sub(r.raised) < raiseInterval {
			return nil
		}
		r.raised = now
	}
	r.place.IAT = max(r.place.IAT, theirs.IssuedAt())
	if order == 0 {
		return r.sign(ours.record.Epoch, ours.record.Sequence+1, nil)
	}
	if theirs.Epoch()+1 > now.Unix()+clockSkew {
		return errors.New("the node's epoch is ahead of its clock; waiting for the clock")
	}
	return r.sign(max(now.Unix(), theirs.Epoch()+1), 1+int64(now.Nanosecond()/1000), nil)
}

// awaitNews returns a channel that is closed when a publisher has tried next.
func (r *registration) awaitNews() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.news
}

// tell wakes whoever waits for news.
func (r *registration) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.news)
	r.news = make(chan struct{})
}

// markAccepted remembers that a registry holds our record.
func (r *registration) markAccepted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted = true
}

// spawn starts background work, unless the registration has been stopped.
func (r *registration) spawn(work func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.work.Go(work)
	}
}

// stop ends keeper and publishers and waits for them.
func (r *registration) stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}

// end stops the registration and takes back what a registry has accepted of
// it, unless an operator did.
func (r *registration) end(ctx context.Context) error {
	r.stop()
	r.mu.Lock()
	place, wanted := r.place, r.accepted && !r.removed
	r.mu.Unlock()
	if !wanted {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, err := r.session.deregister(ctx, place)
	return err
}
