package netget

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A Registration says where a node's statement was accepted and where not.
type Registration struct {
	ID        identity.NodeID   `json:"id"`
	RID       identity.Hash     `json:"rid"` // names the signed statement
	Epoch     int64             `json:"epoch"`
	Sequence  int64             `json:"sequence"`
	ExpiresAt time.Time         `json:"expires_at"`
	State     identity.State    `json:"state,omitempty"` // of a record; a tombstone has none
	Accepted  []Acceptance      `json:"accepted"`
	Errors    []RegistryProblem `json:"errors"`
}

// An Acceptance is a registry that proved to hold the statement.
type Acceptance struct {
	URL     string          `json:"url"`
	ID      identity.NodeID `json:"id"`
	Version int64           `json:"version"`
}

// A RegistryProblem is why an address was of no use.
type RegistryProblem struct {
	URL     string        `json:"url"`
	Code    identity.Code `json:"code"` // "unavailable" when the registry was not reached
	Message string        `json:"message"`
}

// RegisterWithNetwork registers the node with all its registries and keeps it
// registered until [Node.Close]: heartbeats, a new record at half of its life,
// a new certificate at half of that one's. It returns nil once one registry
// has accepted; the others are retried in the background, see [Node.Status].
// When none accepts, the error says which failed and why, and nothing goes on.
func (n *Node) RegisterWithNetwork(ctx context.Context) error {
	_, err := n.register(ctx, false)
	return err
}

// RegisterOnce registers the node for at most an hour, without heartbeats, for
// programs that cannot stay. The registration outlives Close. A node that is
// registered already stays as it is.
func (n *Node) RegisterOnce(ctx context.Context) (Registration, error) {
	r, err := n.register(ctx, true)
	if r == nil {
		return noRegistration(), err
	}
	result := r.summary()
	if r.once {
		r.stop()
	}
	return result, err
}

// Registration returns what is registered now, and where; ok is false before
// [Node.RegisterWithNetwork] has succeeded.
func (n *Node) Registration() (r Registration, ok bool) {
	n.mu.Lock()
	s := n.session
	n.mu.Unlock()
	if s == nil || s.registered() == nil {
		return Registration{}, false
	}
	return s.registered().summary(), true
}

// Removed returns a channel that is closed when an operator has removed what
// [Node.RegisterWithNetwork] registered. The node stays out, see [ErrRemoved],
// until it is registered again. Before the registration the channel is nil.
func (n *Node) Removed() <-chan struct{} {
	n.mu.Lock()
	s := n.session
	n.mu.Unlock()
	if s == nil || s.registered() == nil {
		return nil
	}
	return s.registered().gone
}

func (n *Node) register(ctx context.Context, once bool) (*registration, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return nil, err
	}
	if t := s.source.Identity().ID().Type(); t != identity.ServiceNode && t != identity.RegistryNode {
		return nil, identity.Refuse(identity.Denied, "%s is a %s, which offers no service", s.source.Identity().ID(), t)
	}
	s.registering.Lock()
	defer s.registering.Unlock()
	if r := s.registered(); r != nil && r.ctx.Err() == nil {
		return r, nil // registered already
	}
	r, err := s.newRegistration(once)
	if err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return r, errors.Join(err, r.end(ctx))
	}
	if !once {
		r.spawn(r.keep)
		s.setRegistered(r)
	}
	return r, nil
}

// start lets publishers try, and waits for the first acceptance, a little for
// the others, or for all to have failed.
func (r *registration) start(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.session.ctx, func() { cancel(ErrClosed) })()
	if _, err := r.session.client.Locate(ctx); err != nil {
		return err
	}
	r.follow()
	publishers := r.all()
	done := make(chan struct{})
	first := make(chan struct{}, len(publishers))
	r.spawn(func() {
		defer close(done)
		for _, p := range publishers {
			select {
			case <-p.tried:
			case <-r.ctx.Done():
				return
			}
		}
	})
	for _, p := range publishers {
		r.spawn(func() {
			select {
			case <-p.tried:
				if held, _, _ := p.state(); held != nil {
					first <- struct{}{}
				}
			case <-r.ctx.Done():
			}
		})
	}
	return r.await(ctx, first, done)
}

// await waits until a registry has accepted and the others had their chance.
func (r *registration) await(ctx context.Context, first, done <-chan struct{}) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-first:
		timer := time.NewTimer(firstStraggle)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil
	case <-done:
	}
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	var errs []error
	for _, p := range r.all() {
		held, _, err := p.state()
		if held != nil {
			return nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.remote.URL(), err))
		}
	}
	return errors.Join(errs...)
}

// all returns the publishers, by URL.
func (r *registration) all() []*publisher {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*publisher
	for _, p := range r.publishers {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *publisher) int { return strings.Compare(a.remote.URL(), b.remote.URL()) })
	return all
}

func (r *registration) summary() Registration {
	current, _ := r.now()
	out := newSummary(current.statement)
	for _, p := range r.all() {
		held, proof, err := p.state()
		switch {
		case held != nil && err == nil:
			out.Accepted = append(out.Accepted, Acceptance{p.remote.URL(), proof.Registry, proof.Head.Version})
		case err != nil:
			out.Errors = append(out.Errors, problem(p.remote.URL(), err))
		default:
			out.Errors = append(out.Errors, RegistryProblem{p.remote.URL(), identity.Unavailable, "no answer yet"})
		}
	}
	return out
}

// noRegistration is what is said when nothing was signed.
func noRegistration() Registration {
	return Registration{Accepted: []Acceptance{}, Errors: []RegistryProblem{}}
}

func newSummary(s *identity.Statement) Registration {
	out := noRegistration()
	out.ID, out.RID, out.Epoch, out.Sequence = s.Node(), s.RID(), s.Epoch(), s.Sequence()
	out.ExpiresAt = time.Unix(s.ExpiresAt(), 0).UTC()
	if record, ok := s.Record(); ok {
		out.State = record.State
	}
	return out
}

// publish brings a statement to all registries, and tells how they took it. It
// succeeds if one accepted.
func (s *session) publish(ctx context.Context, statement *identity.Statement) (Registration, []*discovery.RegistryError, error) {
	accepted, errs, err := s.client.PublishAll(ctx, statement)
	out := newSummary(statement)
	for _, a := range accepted {
		out.Accepted = append(out.Accepted, Acceptance{a.URL, a.Registry, a.Head.Version})
	}
	for _, e := range errs {
		out.Errors = append(out.Errors, problem(e.URL, e.Err))
	}
	if len(accepted) > 0 {
		err = nil
	}
	return out, errs, err
}

func problem(url string, err error) RegistryProblem {
	return RegistryProblem{URL: url, Code: codeOf(err), Message: err.Error()}
}

// codeOf is the class of a failure at a registry, also where nothing was said.
func codeOf(err error) identity.Code {
	if code := identity.CodeOf(err); code != "" {
		return code
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return identity.BadCert // a TLS alert: it does not take this node's certificate
	}
	return identity.Unavailable
}

// Deregister signs the node's tombstone, after what its state or else a
// registry says is registered, and brings it to all registries. It is how a
// program ends what another one has registered; [Node.Close] does it for what
// this one has. Nothing registered is [ErrNotRegistered].
func (n *Node) Deregister(ctx context.Context) (Registration, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return noRegistration(), err
	}
	s.registering.Lock()
	defer s.registering.Unlock()
	if r := s.registered(); r != nil {
		r.stop()
		s.setRegistered(nil)
	}
	place, err := s.savedPlace(ctx)
	if err != nil {
		return noRegistration(), err
	}
	if !place.Registered {
		listed, err := s.askState(ctx)
		if err != nil {
			return noRegistration(), err
		}
		place = place.after(listed.Epoch, listed.Sequence) // a tombstone may have been signed already
		place.IAT = max(place.IAT, listed.IAT)
	}
	return s.deregister(ctx, place)
}

// askState asks the registries for the place in the node's order that they list.
func (s *session) askState(ctx context.Context) (nodeState, error) {
	found, err := s.askListed(ctx)
	if err != nil {
		return nodeState{}, err
	}
	record := found.Nodes[0].Record
	return nodeState{Epoch: record.Epoch, Sequence: record.Sequence, IAT: record.IAT, Registered: true}, nil
}

// deregister signs the tombstone that follows place and brings it everywhere.
// It succeeds if one registry accepted.
func (s *session) deregister(ctx context.Context, place nodeState) (Registration, error) {
	statement, err := s.signGoodbye(ctx, place)
	if err != nil {
		return noRegistration(), err
	}
	out, _, err := s.publish(ctx, statement)
	return out, err
}

// signGoodbye signs the tombstone that follows place, or what another program of
// this identity has signed in its epoch meanwhile.
func (s *session) signGoodbye(ctx context.Context, place nodeState) (*identity.Statement, error) {
	i := s.source.Identity()
	defer s.lockPlace(ctx)()
	saved, err := s.savedPlace(ctx)
	if err != nil {
		return nil, err
	}
	if saved.Epoch == place.Epoch {
		place = place.after(saved.Epoch, saved.Sequence)
	}
	iat := max(s.opts.Now().Unix(), place.IAT, saved.IAT)
	statement, err := identity.SignTombstone(identity.NewTombstone(i.ID(), i.Bundle.NID(), place.Epoch, place.Sequence, iat), i.Credential, i.Bundle)
	if err != nil {
		return nil, fmt.Errorf("signing the tombstone: %w", err)
	}
	if saved.Epoch <= place.Epoch { // else another start goes on
		// From now on nothing brings the node back but a new start, whoever hears of this.
		s.savePlace(ctx, nodeState{Epoch: place.Epoch, Sequence: place.Sequence + 1, IAT: iat})
	}
	return statement, nil
}
