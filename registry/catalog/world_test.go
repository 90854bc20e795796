package catalog_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
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

	health *healthwatch.Config // nil: nobody is judged

	catalog *catalog.Catalog
	stop    func() error // ends Run and returns its error
	opener  *discovery.Opener
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	ca := testca.New("production", "catalog", time.Now())
	return &world{
		ca: ca, src: ca.Source(ca.ID("registry", "r-1")), store: memstore.New(), log: &syncBuffer{}, now: time.Now,
		trust: ca.Bundle(), opener: discovery.NewOpener(ca.Bundle()),
	}
}

// start opens the catalog and runs it until the test ends.
func start(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb)
	w.run(tb)
	return w
}

func (w *world) config() catalog.Config {
	return catalog.Config{
		Source: w.src, Store: w.store, Now: w.now, HeadFile: w.head, Health: w.health,
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// open makes a catalog on the world's store.
func (w *world) open(tb testing.TB) (*catalog.Catalog, error) {
	tb.Helper()
	c, err := catalog.New(w.config())
	if err != nil {
		tb.Fatal(err)
	}
	return c, c.Open(context.WithoutCancel(tb.Context()))
}

func (w *world) run(tb testing.TB) {
	tb.Helper()
	c, err := w.open(tb)
	if err != nil {
		tb.Fatalf("opening: %v", err)
	}
	w.catalog = c
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	tb.Cleanup(func() { _ = w.stop() })
}

// settled waits until the committer has done what there is to do. On one processor
// it pauses after a version, so that statements gather; in a bubble somebody must
// let that time pass.
func settled() {
	time.Sleep(10 * time.Millisecond)
	synctest.Wait()
}

// restart ends the catalog in good order and opens another on the same store.
func (w *world) restart(tb testing.TB) {
	tb.Helper()
	if err := w.stop(); err != nil {
		tb.Fatalf("Run: %v", err)
	}
	w.run(tb)
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

func (w *world) node(tb testing.TB, service, label string) *node {
	tb.Helper()
	return w.as(tb, w.ca.Issue(w.ca.ID(service, label)))
}

func (w *world) as(tb testing.TB, cred *identity.Credential) *node {
	tb.Helper()
	cert, err := w.trust.Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
	if err != nil {
		tb.Fatal(err)
	}
	return &node{w: w, cred: cred, cert: cert, epoch: w.now().Unix()}
}

func (n *node) id() identity.NodeID { return n.cred.ID() }

// record signs the next record of the node, after edit had its way.
func (n *node) record(tb testing.TB, edit ...func(*identity.Record)) *identity.Statement {
	tb.Helper()
	n.seq++
	r := n.fields(tb)
	for _, e := range edit {
		e(&r)
	}
	s, err := identity.SignRecord(r, n.cred, n.w.trust)
	if err != nil {
		tb.Fatalf("signing a record: %v", err)
	}
	return s
}

func (n *node) fields(tb testing.TB) identity.Record {
	tb.Helper()
	chain, err := identity.NewChain(n.id(), 240)
	if err != nil {
		tb.Fatal(err)
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
func (n *node) tombstone(tb testing.TB, state *identity.Statement) *identity.Statement {
	tb.Helper()
	n.seq++
	s, err := identity.SignTombstone(identity.TombstoneFor(state, n.w.trust.NID(), n.w.now().Unix()), n.cred, n.w.trust)
	if err != nil {
		tb.Fatalf("signing a tombstone: %v", err)
	}
	return s
}

// removal signs an operator's tombstone for state.
func (n *node) removal(tb testing.TB, state *identity.Statement, edit ...func(*identity.Tombstone)) *identity.Statement {
	tb.Helper()
	tomb := identity.TombstoneFor(state, n.w.trust.NID(), n.w.now().Unix())
	tomb.Sequence = identity.OperatorSequence
	for _, e := range edit {
		e(&tomb)
	}
	s, err := identity.SignTombstone(tomb, n.cred, n.w.trust)
	if err != nil {
		tb.Fatalf("signing an operator's tombstone: %v", err)
	}
	return s
}

func (n *node) submit(s *identity.Statement) (*catalog.Outcome, error) {
	return n.w.catalog.Submit(context.Background(), s.Token(), catalog.Peer{Certificate: n.cert})
}

// put submits and requires that it became the state.
func (n *node) put(tb testing.TB, s *identity.Statement) *catalog.Outcome {
	tb.Helper()
	out, err := n.submit(s)
	if err != nil {
		tb.Fatalf("submitting for %s: %v", s.Node(), err)
	}
	if !out.Created {
		tb.Fatalf("submitting for %s: got 200, want 201", s.Node())
	}
	return out
}

// register signs and submits the node's next record.
func (n *node) register(tb testing.TB) *identity.Statement {
	tb.Helper()
	s := n.record(tb)
	n.put(tb, s)
	return s
}

// view opens the newest answer about a service as a client would.
func (w *world) view(tb testing.TB, service string, from *identity.RegistryMark) *discovery.View {
	tb.Helper()
	version := int64(0)
	if from != nil {
		version = from.Version
	}
	a, err := w.catalog.Snapshot().Answer(service, version)
	if err != nil {
		tb.Fatalf("answer: %v", err)
	}
	v, err := discovery.NewOpener(w.src.Identity().Bundle).Answer(asJSON(tb, a), w.ask(service, from))
	if err != nil {
		tb.Fatalf("opening the answer about %q: %v", service, err)
	}
	return v
}

func (w *world) ask(service string, from *identity.RegistryMark) discovery.Ask {
	return discovery.Ask{Service: service, Peer: w.src.Identity().ID(), Mark: from, Now: w.now()}
}

func asJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// listed returns the labels of the nodes that a service verifiably has.
func (w *world) listed(tb testing.TB, service string) []string {
	tb.Helper()
	var labels []string
	for _, n := range w.view(tb, service, nil).Nodes {
		labels = append(labels, n.Record.Node.Label())
	}
	return labels
}

// changes returns the change list of a version.
func (w *world) changes(tb testing.TB, version int64) []discovery.Change {
	tb.Helper()
	v, ok := w.store.Contents().Versions[version]
	if !ok {
		tb.Fatalf("version %d is not stored", version)
	}
	list, err := discovery.ParseChanges(v.Changes)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// revoke puts a bundle in force that revokes certificates.
func (w *world) revoke(tb testing.TB, number int64, certs ...*identity.Certificate) {
	tb.Helper()
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
		tb.Fatal(err)
	}
}

func wantClass(tb testing.TB, err error, want identity.Code) {
	tb.Helper()
	if got := identity.CodeOf(err); err == nil || got != want {
		tb.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// wantUnchanged requires that the stores hold the same, but for versions signed again.
func wantUnchanged(tb testing.TB, before, after memstore.Contents) {
	tb.Helper()
	if diff := cmp.Diff(before, after, cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); diff != "" {
		tb.Errorf("the store has changed (-before +after):\n%s", diff)
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
