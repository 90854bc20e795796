package registry_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// A world is one network with its registry's catalog, open and running.
type world struct {
	ca      *testca.Authority
	source  *identity.Source
	catalog *catalog.Catalog
	now     func() time.Time
}

// newWorld makes a network on a memory store.
func newWorld(t *testing.T, network string, now func() time.Time) *world {
	t.Helper()
	return newWorldOn(t, network, now, memstore.New())
}

func newWorldOn(t *testing.T, network string, now func() time.Time, store catalog.Store) *world {
	t.Helper()
	w := newClosedWorld(t, network, now, store)
	w.open(t)
	return w
}

// newClosedWorld makes a network whose catalog is not open yet.
func newClosedWorld(t *testing.T, network string, now func() time.Time, store catalog.Store) *world {
	t.Helper()
	ca := testca.New(network, network, now())
	w := &world{ca: ca, source: ca.Source(ca.ID("registry", "reg-1")), now: now}
	var err error
	w.catalog, err = catalog.New(catalog.Config{Source: w.source, Store: store, Now: now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// open opens the catalog and runs it until the test ends.
func (w *world) open(t *testing.T) {
	t.Helper()
	if err := w.catalog.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	background(t, w.catalog.Run)
}

// background runs something until the test ends, and waits for it.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
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

// A served is a registry that answers on loopback.
type served struct {
	*registry.Server
	addr string
	dial func(context.Context) (net.Conn, error)
	stop func()
}

// serve starts a registry for worlds; edit may change its configuration.
func serve(t *testing.T, edit func(*registry.Config), worlds ...*world) *served {
	t.Helper()
	cfg := registry.Config{Now: worlds[0].now, ReadRate: 1e6, ReadBurst: 1e6}
	for _, w := range worlds {
		cfg.Networks = append(cfg.Networks, registry.Network{Source: w.source, Catalog: w.catalog})
	}
	if edit != nil {
		edit(&cfg)
	}
	s, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, func(ctx context.Context) error { return s.Serve(ctx, l) })
	return &served{s, l.Addr().String(), dialTo(l.Addr().String()), stop}
}

func dialTo(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", addr) }
}

// A node is one caller with its own connections.
type node struct {
	t      *testing.T
	id     identity.NodeID
	source *identity.Source
	http   *http.Client
	base   string
	opener *discovery.Opener
	now    func() time.Time
}

// newNode returns a caller of w's network at s. Every request and response is
// checked against the OpenAPI document.
func newNode(t *testing.T, w *world, s *served, service, label string) *node {
	t.Helper()
	id := w.ca.ID(service, label)
	src := w.ca.Source(id)
	conf := identity.ClientTLS(src, w.now)
	transport := &http.Transport{
		TLSClientConfig: conf, ForceAttemptHTTP2: false, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx) },
	}
	conf.NextProtos = []string{"http/1.1"}
	t.Cleanup(transport.CloseIdleConnections)
	return &node{
		t: t, id: id, source: src, base: "https://" + s.addr, now: w.now,
		http:   &http.Client{Transport: &checked{t, transport}},
		opener: discovery.NewOpener(w.ca.Bundle()),
	}
}

// A reply is a response that was read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) problem(t *testing.T) *identity.ProblemError {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != discovery.ProblemType {
		t.Fatalf("status %d with a body of type %q: %.200s", r.status, got, r.body)
	}
	return identity.ParseProblem(r.status, r.header, r.body)
}

// do sends a request and fails the test if no response comes.
func (n *node) do(req *http.Request) reply {
	n.t.Helper()
	res, err := n.http.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, body}
}

func (n *node) request(method, path string, body []byte) *http.Request {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.base+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	return req
}

func (n *node) get(path string) reply {
	n.t.Helper()
	return n.do(n.request(http.MethodGet, path, nil))
}

func (n *node) post(path, mediaType string, body []byte) reply {
	n.t.Helper()
	req := n.request(http.MethodPost, path, body)
	req.Header.Set("Content-Type", mediaType)
	return n.do(req)
}

// want fails unless the reply has the status.
func want(t *testing.T, r reply, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("got status %d, want %d: %.300s", r.status, status, r.body)
	}
	return r
}

// refused fails unless the reply is a problem of the class.
func refused(t *testing.T, r reply, status int, code identity.Code) {
	t.Helper()
	if p := r.problem(t); p.Status != status || p.Code != code {
		t.Fatalf("got %d %s, want %d %s", p.Status, p.Code, status, code)
	}
}

// record signs a record of the node.
func (n *node) record(sequence int64, edits ...func(*identity.Record)) (*identity.Statement, *identity.Chain) {
	n.t.Helper()
	chain, err := identity.NewChain(n.id, 1440)
	if err != nil {
		n.t.Fatal(err)
	}
	now := n.now().Unix()
	r := identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now, IAT: now, Exp: now + 6*3600, Sequence: sequence,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: 1440, Interval: 15},
		Metadata:  map[string]string{"zone": "a"}, State: identity.Active,
	}
	for _, edit := range edits {
		edit(&r)
	}
	i := n.source.Identity()
	s, err := identity.SignRecord(r, i.Credential, i.Bundle)
	if err != nil {
		n.t.Fatal(err)
	}
	return s, chain
}

// register signs a record and has it listed.
func (n *node) register(sequence int64, edits ...func(*identity.Record)) (*identity.Statement, *identity.Chain) {
	n.t.Helper()
	s, chain := n.record(sequence, edits...)
	want(n.t, n.post("/v1/records", discovery.JWSType, []byte(s.Token())), http.StatusCreated)
	return s, chain
}

// ask is what the node asks about a service, knowing nothing.
func (n *node) ask(service string) discovery.Ask {
	return discovery.Ask{Service: service, Now: n.now()}
}

// view opens the answer about a service.
func (n *node) view(service string) *discovery.View {
	n.t.Helper()
	r := want(n.t, n.get("/v1/services/"+service), http.StatusOK)
	v, err := n.opener.Answer(r.body, n.ask(service))
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

func names(v *discovery.View) string {
	var labels []string
	for _, one := range v.Nodes {
		labels = append(labels, one.Record.Node.Label())
	}
	return strings.Join(labels, " ")
}

// read reads a response to its end.
func read(t *testing.T, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, body}
}
