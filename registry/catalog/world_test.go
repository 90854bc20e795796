package catalog_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A world is one network with its authority, one registry and its store.
type world struct {
	ca    *testca.Authority
	trust *identity.Bundle // of ca, without CRLs
	src   *identity.Source
	store *memstore.Store
	log   *syncBuffer
	head  string // the head file
	now   func() time.Time

	catalog *catalog.Catalog
	stop    func() error // ends Run and returns its error
	opener  *discovery.Opener
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ca := testca.New("production", "catalog", time.Now())
	return &world{
		ca: ca, src: ca.Source(ca.ID("registry", "r-1")), store: memstore.New(), log: &syncBuffer{}, now: time.Now,
		trust: ca.Bundle(), opener: discovery.NewOpener(ca.Bundle()),
	}
}

// start opens the catalog and runs it until the test ends.
func start(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.run(t)
	return w
}

func (w *world) config() catalog.Config {
	return catalog.Config{
		Source: w.src, Store: w.store, Now: w.now, HeadFile: w.head,
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open makes a catalog on the world's store.
func (w *world) open(t testing.TB) (*catalog.Catalog, error) {
	t.Helper()
	c, err := catalog.New(w.config())
	if err != nil {
		t.Fatal(err)
	}
	return c, c.Open(context.WithoutCancel(t.Context()))
}

func (w *world) run(t testing.TB) {
	t.Helper()
	c, err := w.open(t)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	w.catalog = c
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = w.stop() })
}

// restart ends the catalog in good order and opens another on the same store.
func (w *world) restart(t testing.TB) {
	t.Helper()
	if err := w.stop(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	w.run(t)
}

// A node is a machine of the network with what it has signed last.
type node struct {
	w     *world
	cred  *identity.Credential
	cert  *identity.Certificate
	epoch int64
	seq   int64
	chain *identity.Chain
}

func (w *world) node(t testing.TB, service, label string) *node {
	t.Helper()
	return w.as(t, w.ca.Issue(w.ca.ID(service, label)))
}

func (w *world) as(t testing.TB, cred *identity.Credential) *node {
	t.Helper()
	cert, err := w.trust.Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	return &node{w: w, cred: cred, cert: cert, epoch: w.now().Unix()}
}

func (n *node) id() identity.NodeID { return n.cred.ID() }

// record signs the next record of the node, after edit had its way.
func (n *node) record(t testing.TB, edit ...func(*identity.Record)) *identity.Statement {
	t.Helper()
	n.seq++
	r := n.fields(t)
	for _, e := range edit {
		e(&r)
	}
	s, err := identity.SignRecord(r, n.cred, n.w.trust)
	if err != nil {
		t.Fatalf("signing a record: %v", err)
	}
	return s
}

func (n *node) fields(t testing.TB) identity.Record {
	t.Helper()
	chain, err := identity.NewChain(n.id(), 240)
	if err != nil {
		t.Fatal(err)
	}
	n.chain = chain
	now := n.w.now().Unix()
	return identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckTCP},
		Endpoints: []identity.Endpoint{{Address: "10.1.2.3", Name: "main", Port: 5432, Protocol: "tcp"}},
		Epoch:     n.epoch, Exp: now + 3600, IAT: now, Sequence: n.seq, State: identity.Active,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 240, Interval: 15},
		Metadata:  map[string]string{"zone": "a"},
	}
}

// tombstone signs the node's goodbye.
func (n *node) tombstone(t testing.TB, state *identity.Statement) *identity.Statement {
	t.Helper()
	n.seq++
	s, err := identity.SignTombstone(identity.TombstoneFor(state, n.w.trust.NID(), n.w.now().Unix()), n.cred, n.w.trust)
	if err != nil {
		t.Fatalf("signing a tombstone: %v", err)
	}
	return s
}

// removal signs an operator's tombstone for state.
func (n *node) removal(t testing.TB, state *identity.Statement, edit ...func(*identity.Tombstone)) *identity.Statement {
	t.Helper()
	tomb := identity.TombstoneFor(state, n.w.trust.NID(), n.w.now().Unix())
	tomb.Sequence = identity.OperatorSequence
	for _, e := range edit {
		e(&tomb)
	}
	s, err := identity.SignTombstone(tomb, n.cred, n.w.trust)
	if err != nil {
		t.Fatalf("signing an operator's tombstone: %v", err)
	}
	return s
}

func (n *node) submit(s *identity.Statement) (*catalog.Outcome, error) {
	return n.w.catalog.Submit(context.Background(), s.Token(), n.cert)
}

// put submits and requires that it became the state.
func (n *node) put(t testing.TB, s *identity.Statement) *catalog.Outcome {
	t.Helper()
	out, err := n.submit(s)
	if err != nil {
		t.Fatalf("submitting for %s: %v", s.Node(), err)
	}
	if !out.Created {
		t.Fatalf("submitting for %s: got 200, want 201", s.Node())
	}
	return out
}

// register signs and submits the node's next record.
func (n *node) register(t testing.TB) *identity.Statement {
	t.Helper()
	s := n.record(t)
	n.put(t, s)
	return s
}

// view opens the newest answer about a service as a client would.
func (w *world) view(t testing.TB, service string, from *identity.RegistryMark) *discovery.View {
	t.Helper()
	version := int64(0)
	if from != nil {
		version = from.Version
	}
	a, err := w.catalog.Snapshot().Answer(service, version)
	if err != nil {
		t.Fatalf("answer: %v", err)
	}
	v, err := discovery.NewOpener(w.src.Identity().Bundle).Answer(asJSON(t, a), w.ask(service, from))
	if err != nil {
		t.Fatalf("opening the answer about %q: %v", service, err)
	}
	return v
}

func (w *world) ask(service string, from *identity.RegistryMark) discovery.Ask {
	return discovery.Ask{Service: service, Peer: w.src.Identity().ID(), Mark: from, Now: w.now()}
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// listed returns the labels of the nodes that a service verifiably has.
func (w *world) listed(t testing.TB, service string) []string {
	t.Helper()
	var labels []string
	for _, n := range w.view(t, service, nil).Nodes {
		labels = append(labels, n.Record.Node.Label())
	}
	return labels
}

// changes returns the change list of a version.
func (w *world) changes(t testing.TB, version int64) []discovery.Change {
	t.Helper()
	v, ok := w.store.Contents().Versions[version]
	if !ok {
		t.Fatalf("version %d is not stored", version)
	}
	list, err := discovery.ParseChanges(v.Changes)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// revoke puts a bundle in force that revokes certificates.
func (w *world) revoke(t testing.TB, number int64, certs ...*identity.Certificate) {
	t.Helper()
	var leaves []*x509.Certificate
	for _, c := range certs {
		leaves = append(leaves, c.Leaf())
	}
	crl := w.ca.CRL(number, leaves...)
	err := w.src.Update(func(i *identity.Identity) (*identity.Identity, error) {
		b, err := i.Bundle.With([][]byte{crl})
		if err != nil {
			return nil, err
		}
		next := *i
		next.Bundle = b
		return &next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wantClass(t testing.TB, err error, want identity.Code) {
	t.Helper()
	if got := identity.CodeOf(err); err == nil || got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// wantUnchanged requires that the stores hold the same, but for versions signed again.
func wantUnchanged(t testing.TB, before, after memstore.Contents) {
	t.Helper()
	if diff := cmp.Diff(before, after, cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); diff != "" {
		t.Errorf("the store has changed (-before +after):\n%s", diff)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
