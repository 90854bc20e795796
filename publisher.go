package netget

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

const (
	receiptOneIn = 8 // heartbeats that ask for a receipt
	firstTries   = 3 // answers to a registry that knows a later statement, before the first acceptance
)

// A publisher keeps the node's record present at one registry address.
type publisher struct {
	registration *registration
	remote       *discovery.Remote
	ctx          context.Context //nolint:containedctx // ends with the registration or when the address is removed
	cancel       context.CancelFunc

	mu       sync.Mutex
	accepted *signed             // what the registry holds; guarded by mu
	proof    *discovery.Accepted // its receipt; guarded by mu
	err      error               // of the last attempt; guarded by mu
	tried    chan struct{}       // closed after the first attempt to publish; guarded by mu
	brought  *signed             // what it was last asked to take; guarded by mu
	bringErr error               // why it did not; guarded by mu

	sent     int64    // number of the last heartbeat sent of accepted
	notes    []string // of the registry's last receipt
	failures int
}

func newPublisher(r *registration, remote *discovery.Remote) *publisher {
	ctx, cancel := context.WithCancel(r.ctx)
	return &publisher{registration: r, remote: remote, ctx: ctx, cancel: cancel, tried: make(chan struct{})}
}

// run publishes and sends heartbeats until it is cancelled.
func (p *publisher) run() {
	defer p.cancel()
	for {
		current, changed := p.registration.now()
		timer := time.NewTimer(p.step(current))
		select {
		case <-p.ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// step does what is due and returns when to come back.
func (p *publisher) step(current *signed) time.Duration {
	held, _, _ := p.state()
	if held != current {
		if err := p.publish(p.ctx, current); err != nil {
			if held != nil {
				_ = p.beat(p.ctx, held) // the old record lives on until the new one is taken
			}
			again := p.failed(p.ctx, current, err)
			p.conclude(current, err)
			return again
		}
		p.conclude(current, nil)
		held = current
	} else if err := p.beat(p.ctx, held); err != nil {
		return p.failed(p.ctx, current, err)
	}
	p.failures = 0
	return p.untilBeat(held)
}

// conclude says how bringing s to the registry went, after all that follows from
// it at once.
func (p *publisher) conclude(s *signed, err error) {
	p.mu.Lock()
	p.brought, p.bringErr = s, err
	p.mu.Unlock()
	p.registration.tell()
}

// attempt bounds the time of one request to a registry that holds a record of
// ours, or none yet.
func (p *publisher) attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	if held, _, _ := p.state(); held != nil {
		return context.WithTimeout(ctx, attemptTime(held.beatInterval()))
	}
	return context.WithTimeout(ctx, requestTimeout)
}

// publish brings the current record to the registry.
func (p *publisher) publish(ctx context.Context, s *signed) error {
	attempt, cancel := p.attempt(ctx)
	defer cancel()
	proof, err := p.registration.session.client.Publish(attempt, p.remote, s.statement)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	if err != nil {
		return err
	}
	p.accepted, p.proof, p.sent = s, proof, 0
	p.firstTried()
	p.registration.markAccepted()
	p.registration.session.opts.Logger.LogAttrs(ctx, slog.LevelInfo, "registered", slog.String("registry", p.remote.URL()), slog.String("rid", s.statement.RID().String()), slog.Int64("version", proof.Head.Version))
	p.tellNotes(ctx, proof.Listing.Notes)
	return nil
}

// beat reveals the newest token that is due, if it was not sent yet. Once the
// node has signed something else than a mere renewal, no token of an earlier
// record is revealed any more.
func (p *publisher) beat(ctx context.Context, s *signed) error {
	if newest, _ := p.registration.now(); newest != s && !isRenewal(s.record, newest.record) {
		return nil
	}
	k := s.record.DueBeat(p.registration.session.opts.Now())
	token, ok := s.chain.Token(k)
	if !ok || k <= p.sent {
		return nil
	}
	attempt, cancel := p.attempt(ctx)
	defer cancel()
	reply, err := p.registration.session.client.Beat(attempt, p.remote, s.statement, identity.Beat{K: k, Token: token}, p.failures > 0 || oneIn(receiptOneIn))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	if err != nil {
		return err
	}
	p.sent = k
	if reply.Receipt != nil {
		p.tellNotes(ctx, reply.Receipt.Notes)
	}
	if reply.Late {
		p.registration.session.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "heartbeat late", slog.String("registry", p.remote.URL()), slog.Int64("registry_clock", reply.Time))
	}
	return nil
}

// tellNotes puts into the log what the registry will not do, once.
func (p *publisher) tellNotes(ctx context.Context, notes []string) {
	if slices.Equal(notes, p.notes) {
		return
	}
	p.notes = notes
	for _, note := range notes {
		p.registration.session.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "registry's note", slog.String("registry", p.remote.URL()), slog.String("note", note))
	}
}

// failed reacts to a refusal or failure and returns when to try again.
func (p *publisher) failed(ctx context.Context, current *signed, err error) time.Duration {
	r := p.registration
	p.mu.Lock()
	p.err = err
	if identity.CodeOf(err) == identity.NotFound {
		p.accepted = nil // the registry has lost or never seen the record: it is posted again
	}
	p.mu.Unlock()
	if p.ctx.Err() != nil {
		p.giveUpFirst()
		return maxBackoff
	}
	p.failures++
	r.session.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "registry failed", slog.String("registry", p.remote.URL()), slog.Int("failures", p.failures), slog.Any("error", err))
	if superseded, ok := errors.AsType[*discovery.SupersededError](err); ok {
		p.mu.Lock()
		p.accepted = nil
		p.mu.Unlock()
		switch resolved := r.resolve(current, superseded.Current); {
		case errors.Is(resolved, ErrRemoved):
			r.cancel()
		case resolved != nil:
			r.session.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "record not signed anew", slog.Any("error", resolved))
		}
	}
	if next, _ := r.now(); next == current || p.failures >= firstTries {
		p.giveUpFirst() // else the record that answers the refusal is still to be tried
	}
	return p.backoff(err)
}

// backoff is until the next attempt. A registry that holds the node's record is
// asked again at least once an interval: one that was away hears the node before
// it takes it for dead.
func (p *publisher) backoff(err error) time.Duration {
	most := time.Duration(0)
	if held, _, _ := p.state(); held != nil {
		most = held.beatInterval()
	}
	return backoff(p.failures, most, err)
}

// giveUpFirst lets whoever waits for the first acceptance go on without this
// registry.
func (p *publisher) giveUpFirst() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.firstTried()
}

// untilBeat is until the next token is due, or long when there is none left.
func (p *publisher) untilBeat(s *signed) time.Duration {
	now := p.registration.session.opts.Now()
	if s.record.DueBeat(now) > p.sent {
		return 0
	}
	if p.sent == s.record.Heartbeat.Count {
		return maxBackoff
	}
	return max(0, time.Unix(s.record.IAT+(p.sent+1)*s.record.Heartbeat.Interval, 0).Sub(now))
}

// firstTried tells whoever waits that one attempt was made; p.mu is held.
func (p *publisher) firstTried() {
	select {
	case <-p.tried:
	default:
		close(p.tried)
	}
}

func (p *publisher) state() (*signed, *discovery.Accepted, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted, p.proof, p.err
}

// isRenewal reports whether next says the same as old, so that whoever has not
// got it yet may be kept alive on the old one.
func isRenewal(old, next *identity.Record) bool {
	return old.Epoch == next.Epoch && old.State == next.State && old.Check == next.Check &&
		slices.Equal(old.Endpoints, next.Endpoints) && maps.Equal(old.Metadata, next.Metadata)
}

func oneIn(n int64) bool { return randomBelow(time.Duration(n)) == 0 }

// randomBelow returns a random duration in [0, n); 0 for n below 1.
func randomBelow(n time.Duration) time.Duration {
	if n < 1 {
		return 0
	}
	v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		return 0
	}
	return time.Duration(v.Int64())
}
