package netget

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
)

// Errors of a [Node].
var (
	// ErrNotFound says that there verifiably is no such service or node, or
	// none that is active.
	ErrNotFound = errors.New("not found")
	// ErrClosed says that the node was closed.
	ErrClosed = errors.New("the node is closed")
	// ErrRemoved says that an operator removed the node. It stays out until it
	// is started again.
	ErrRemoved = errors.New("removed-by-operator")
	// ErrNotRegistered says that nothing is registered that could end or drain.
	ErrNotRegistered = errors.New("not registered")
	// ErrTooManyEvents says that there are more events than are kept in memory:
	// a later moment, a service or a node would be fewer, [Node.FollowEvents]
	// keeps none.
	ErrTooManyEvents = errors.New("more than 100,000 events")
	// ErrExpired says that the node's certificate has ended and was not
	// renewed: nothing can be signed with it.
	ErrExpired = errors.New("the certificate has ended")
)

// A Node is a program's place in its network. It is safe for concurrent use.
type Node struct {
	mu      sync.Mutex
	opts    Options
	err     error    // of the options, reported by the first method; guarded by mu
	session *session // nil until a method needed it; guarded by mu
	closed  bool     // guarded by mu
}

const (
	renewalTimeout = 10 * time.Second // for how long a call waits for a certificate that is over
	renewalPoll    = 50 * time.Millisecond
)

// session is what a node has open once it was used.
type session struct {
	opts    Options
	source  *identity.Source
	marks   *discovery.Marks
	client  *discovery.Client
	renewer *enroll.Renewer
	ctx     context.Context //nolint:containedctx // the life of the node's background work, ended by Close
	cancel  context.CancelFunc
	work    sync.WaitGroup

	registering  sync.Mutex // held while the node is registered or deregistered, I/O included
	mu           sync.Mutex
	registration *registration  // guarded by mu
	wish         identity.State // what the node wants to be in all that it signs; guarded by mu
}

// New returns a node. It does no I/O: the identity is read when a method
// first needs it, and bad options are reported then.
func New(opts Options) *Node {
	opts.RegistryNodes, opts.Endpoints, opts.Metadata = slices.Clone(opts.RegistryNodes), slices.Clone(opts.Endpoints), maps.Clone(opts.Metadata)
	opts, err := opts.withDefaults()
	return &Node{opts: opts, err: err}
}

// AddRegistryNode adds the address of a registry, https://host:port. A node
// that is registered registers there too.
func (n *Node) AddRegistryNode(url string) error {
	address, err := discovery.ParseAddress(url)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if !slices.Contains(n.opts.RegistryNodes, address) {
		n.opts.RegistryNodes = append(n.opts.RegistryNodes, address)
	}
	if n.session == nil {
		return nil
	}
	if err := n.session.client.Add(address); err != nil {
		return err
	}
	n.session.registered().follow()
	return nil
}

// RemoveRegistryNode removes an address. What is registered there runs out by
// itself.
func (n *Node) RemoveRegistryNode(url string) error {
	address, err := discovery.ParseAddress(url)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	n.opts.RegistryNodes = slices.DeleteFunc(n.opts.RegistryNodes, func(have string) bool {
		canonical, err := discovery.ParseAddress(have)
		return err == nil && canonical == address
	})
	if n.session == nil {
		return nil
	}
	if _, err := n.session.client.Remove(address); err != nil {
		return err
	}
	n.session.registered().follow()
	return nil
}

// RegistryNodes returns the addresses that the node asks.
func (n *Node) RegistryNodes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session == nil {
		return slices.Clone(n.opts.RegistryNodes)
	}
	var urls []string
	for _, r := range n.session.client.Remotes() {
		urls = append(urls, r.URL())
	}
	return urls
}

// open returns the session, made on first use.
func (n *Node) open() (*session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return nil, ErrClosed
	case n.err != nil:
		return nil, n.err
	case n.session != nil:
		return n.session, nil
	}
	s, err := newSession(n.opts)
	if err != nil {
		return nil, err
	}
	n.session = s
	return s, nil
}

// ready returns the session, with a certificate that is not over: a program
// that was off for long waits for its renewal, as long as that may succeed.
func (n *Node) ready(ctx context.Context) (*session, error) {
	s, err := n.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
	defer cancel()
	ticker := time.NewTicker(renewalPoll)
	defer ticker.Stop()
	for s.isOver() && s.renewer.Status().LastError == nil {
		changed := s.source.Changed()
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return s, nil // the registries will say what is wrong
		}
	}
	return s, nil
}

// isOver reports whether the certificate has ended and could be renewed.
func (s *session) isOver() bool {
	i := s.source.Identity()
	return i.Document.CA != "" && s.opts.Now().After(i.Credential.Leaf().NotAfter)
}

func newSession(opts Options) (*session, error) {
	folder := identity.NewFolder(opts.Identity)
	source, err := identity.NewSource(folder)
	if err != nil {
		return nil, err
	}
	if err := opts.checkIdentity(source.Identity().ID()); err != nil {
		return nil, err
	}
	marks, err := discovery.OpenMarks(filepath.Join(opts.Identity, identity.MarksFile))
	if err != nil {
		return nil, err
	}
	s := &session{opts: opts, source: source, marks: marks, wish: identity.Active}
	s.client, err = discovery.NewClient(discovery.Config{
		Source: source, Marks: marks, Addresses: opts.RegistryNodes, MinRegistries: opts.MinRegistries, MaxStale: opts.MaxStale,
		UpdateList: s.updateList, KeepDocuments: opts.KeepAnswers, Now: opts.Now, Logger: opts.Logger,
	})
	if err != nil {
		return nil, err
	}
	s.renewer, err = enroll.NewRenewer(enroll.RenewerConfig{Source: source, Now: opts.Now, Logger: opts.Logger, Renewed: s.takeMarks})
	if err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.Go(s.renew)
	return s, nil
}

// renew keeps the certificate fresh for as long as the node is open.
func (s *session) renew() {
	if s.source.Identity().Document.CA == "" {
		return
	}
	if err := s.renewer.Run(s.ctx); err != nil {
		s.opts.Logger.LogAttrs(s.ctx, slog.LevelError, "certificate can no longer be renewed", slog.Any("error", err))
	}
}

// updateList takes the network's registries from the authority.
func (s *session) updateList(ctx context.Context) error {
	result, err := enroll.Refresh(ctx, s.source, s.opts.Now)
	if err != nil {
		return err
	}
	s.takeMarks(result)
	return nil
}

// takeMarks uses the authority's marks of registries never met.
func (s *session) takeMarks(result *enroll.Result) {
	if err := s.marks.SuggestAll(result.Registries); err != nil {
		s.opts.Logger.LogAttrs(s.ctx, slog.LevelWarn, "marks not written", slog.Any("error", err))
	}
}

// Close ends the registration, if there is one, at every registry (in at most
// 5 s), stops all background work and waits for it. Closing again does nothing.
func (n *Node) Close() error {
	n.mu.Lock()
	s := n.session
	first := !n.closed
	n.closed = true
	n.mu.Unlock()
	if s == nil || !first {
		return nil
	}
	s.cancel()
	s.registering.Lock()
	defer s.registering.Unlock()
	var err error
	if r := s.registered(); r != nil {
		err = r.end(s.ctx)
	}
	s.work.Wait()
	s.client.Close()
	return err
}

// registered returns the registration, nil if there is none.
func (s *session) registered() *registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.registration
}

func (s *session) setRegistered(r *registration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registration = r
}
