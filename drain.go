package netget

import (
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// errOverruled ends a Drain that another call has taken back, or the reverse.
var errOverruled = errors.New("another call has changed the node's state again")

// Drain says that nobody new should use the node: it signs a record of the state
// draining and returns nil once a registry has accepted it; the others are brought
// it in the background. Whoever uses the node goes on. The wish holds for all that
// this Node signs until [Node.Undrain], also where every registry failed, which is
// the error. Draining twice is nil; [ErrNotRegistered] says that nothing is
// registered, [ErrRemoved] that an operator has removed it.
func (n *Node) Drain(ctx context.Context) error { return n.turn(ctx, identity.Draining) }

// Undrain takes [Node.Drain] back, in the same way.
func (n *Node) Undrain(ctx context.Context) error { return n.turn(ctx, identity.Active) }

func (n *Node) turn(ctx context.Context, state identity.State) error {
	s, err := n.ready(ctx)
	if err != nil {
		return err
	}
	r := s.registered()
	if r == nil {
		return ErrNotRegistered
	}
	if err := r.wish(state); err != nil {
		return err
	}
	return r.awaitState(ctx, state)
}

// wish remembers what the node wants to be and signs the record that says so,
// unless the current one does.
func (r *registration) wish(state identity.State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.removed:
		return ErrRemoved
	case r.stopped: // its tombstone may be signed already
		return ErrNotRegistered
	}
	r.session.setState(state)
	if r.current.record.State == state {
		return nil
	}
	return r.sign(r.place.Epoch, r.place.Sequence+1, nil)
}

// awaitState waits until a registry holds a record of the state, or all have
// refused or failed to take it.
func (r *registration) awaitState(ctx context.Context, state identity.State) error {
	for {
		news := r.awaitNews()
		done, err := r.stateTaken(state)
		switch {
		case done && err != nil && r.ctx.Err() != nil:
			return r.whyEnded()
		case done:
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ctx.Done():
			return r.whyEnded()
		}
	}
}

// stateTaken reports whether it is known how the registries took the current
// record, which has the state.
func (r *registration) stateTaken(state identity.State) (done bool, err error) {
	current, _ := r.now()
	if current.record.State != state {
		return true, errOverruled
	}
	publishers := r.all()
	if len(publishers) == 0 {
		return true, discovery.ErrNoRegistry
	}
	var errs []error
	for _, p := range publishers {
		switch held, err := p.outcome(current); {
		case held != nil && held.record.State == state:
			return true, nil
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", p.remote.URL(), err))
		}
	}
	return len(errs) == len(publishers), errors.Join(errs...)
}

// whyEnded is the error of whoever waited for a registration that has ended.
func (r *registration) whyEnded() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.removed {
		return ErrRemoved
	}
	return ErrNotRegistered
}

// outcome returns what the registry holds and, where bringing it s has failed, why.
func (p *publisher) outcome(s *signed) (held *signed, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.brought == s {
		err = p.bringErr
	}
	return p.accepted, err
}

// state returns what the node wants to be.
func (s *session) state() identity.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wish
}

func (s *session) setState(state identity.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wish = state
}
