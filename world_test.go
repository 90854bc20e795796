package netget_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/testport"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := leaks(); code == 0 && err != nil {
		fmt.Fprintf(os.Stderr, "goroutines are left: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// leaks returns what goroutines are left when they have had their time to end.
func leaks(options ...goleak.Option) (err error) {
	for began := time.Now(); ; {
		if err = goleak.Find(options...); err == nil || time.Since(began) > patience {
			return err
		}
	}
}

// tb is what a network needs of a test; examples have it too.
type tb interface {
	Helper()
	Context() context.Context
	TempDir() string
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// A world is one network: its authority and its registries on loopback.
type world struct {
	ca         *testca.Authority
	registries []*registryNode
	caURL      string // in identities; "": none

	beforeRenewal func() // what the authority waits for; nil: nothing
}

// A registryNode is a registry with an address of its own, running or not.
type registryNode struct {
	id      identity.NodeID
	address string
	catalog *catalog.Catalog
	source  *identity.Source
	stop    func() // of the server; nil while it does not run
}

// newWorld makes a network with running registries.
func newWorld(t tb, labels ...string) *world {
	t.Helper()
	w := &world{ca: testca.New("development", "sdk", time.Now())}
	for _, label := range labels {
		r := w.addRegistry(t, label)
		r.serve(t)
	}
	return w
}

// addRegistry makes a registry that does not answer yet.
func (w *world) addRegistry(t tb, label string) *registryNode {
	t.Helper()
	r := &registryNode{id: w.ca.ID("registry", label)}
	r.source = w.ca.Source(r.id)
	var err error
	r.catalog, err = catalog.New(catalog.Config{Source: r.source, Store: memstore.New(), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.catalog.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	background(t, r.catalog.Run)
	address, release, err := testport.Hold("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	r.address = address
	w.registries = append(w.registries, r)
	return r
}

// serve lets the registry answer.
func (r *registryNode) serve(t tb) {
	t.Helper()
	s, err := registry.New(registry.Config{
		Networks: []registry.Network{{Source: r.source, Catalog: r.catalog}}, ReadRate: 1e6, ReadBurst: 1e6,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, r.address)
	r.stop = background(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
}

func (r *registryNode) url() string { return "https://" + r.address }

func listen(t tb, address string) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// background runs something until stop or the end of the test, and waits for
// its end.
func background(t tb, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// folder enrols a node and returns its identity folder; edit may change what is
// written.
func (w *world) folder(t tb, service, label string, edits ...func(*identity.Identity)) string {
	t.Helper()
	i := w.ca.Identity(w.ca.ID(service, label))
	i.Credential = w.issue(t, i.ID())
	i.Document.CA = w.caURL
	for _, r := range w.registries {
		i.Document.Registries = append(i.Document.Registries, identity.KnownRegistry{Registry: r.id, Addresses: []string{r.url()}})
	}
	for _, edit := range edits {
		edit(i)
	}
	dir := t.TempDir()
	if err := identity.NewFolder(dir).Create(i, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// issue makes a credential with a key that can be written to a folder.
func (w *world) issue(t tb, id identity.NodeID, edits ...func(*x509.Certificate)) *identity.Credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return w.ca.IssueKey(id, key, edits...)
}

// node returns a node that acts with the identity of a folder and is closed at
// the end of the test.
func (w *world) node(t *testing.T, dir string, edits ...func(*netget.Options)) *netget.Node {
	t.Helper()
	opts := netget.Options{
		Identity: dir, HeartbeatInterval: time.Second,
		Endpoints: []netget.Endpoint{{Address: "127.0.0.1", Port: 5432}},
	}
	for _, edit := range edits {
		edit(&opts)
	}
	n := netget.New(opts)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Logf("closing the node: %v", err)
		}
	})
	return n
}

// client returns a node that only asks.
func (w *world) client(t *testing.T, edits ...func(*netget.Options)) *netget.Node {
	t.Helper()
	return w.node(t, w.folder(t, "client", "c-1"), edits...)
}

// register registers a node or fails the test.
func register(t *testing.T, n *netget.Node) netget.Registration {
	t.Helper()
	if err := n.RegisterWithNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, ok := n.Registration()
	if !ok {
		t.Fatal("the node is registered and does not know it")
	}
	return r
}

// listed returns what the registry lists of a node, nil for nothing.
func (r *registryNode) listed(id identity.NodeID) *identity.Statement {
	s := r.catalog.Snapshot().Service(id.Service())
	if s == nil {
		return nil
	}
	if i, ok := s.Index(id); ok {
		return s.Records()[i].Record
	}
	return nil
}

// submit brings a statement to the registry as the node or operator that
// signed it would.
func (r *registryNode) submit(t *testing.T, s *identity.Statement) {
	t.Helper()
	if _, err := r.catalog.Submit(t.Context(), s.Token(), catalog.Peer{Certificate: s.Certificate()}); err != nil {
		t.Fatal(err)
	}
}

// load reads an identity folder.
func load(t *testing.T, dir string) *identity.Identity {
	t.Helper()
	i, err := identity.NewFolder(dir).Load()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s did not happen in %s", what, patience)
		}
	}
}

// wantError fails the test unless err is target.
func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}
