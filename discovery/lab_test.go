package discovery_test

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

const service = "databaseservice"

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// must returns v of a step that cannot fail in a test that works.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// A dbNode is a node with its newest record.
type dbNode struct {
	id     identity.NodeID
	cred   *identity.Credential
	record identity.Record
	signed *identity.Statement
	chain  *identity.Chain
	beat   identity.Beat

	status   discovery.Status // 0: up
	reason   string           // hints
	disputed bool
}

// newNode returns a node with a record of an hour.
func newNode(ca *testca.Authority, name string, now time.Time) *dbNode {
	n := &dbNode{id: ca.ID(service, name)}
	n.cred = ca.Issue(n.id)
	n.chain = must(identity.NewChain(n.id, 240))
	n.record = identity.Record{
		Check:     identity.Check{Interval: 10, Type: identity.CheckNone},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now.Unix(), Sequence: 1, IAT: now.Unix(), Exp: now.Unix() + 3600,
		Heartbeat: identity.Heartbeat{Anchor: n.chain.Anchor(), Count: 240, Interval: 15},
		State:     identity.Active,
	}
	n.sign(ca)
	return n
}

func (n *dbNode) sign(ca *testca.Authority) {
	n.signed = must(identity.SignRecord(n.record, n.cred, ca.Bundle()))
}

// A lab is a registry that a test can make lie.
type lab struct {
	ca      *testca.Authority
	clock   *clock
	id      identity.NodeID
	tls     *identity.Credential
	signing *identity.Credential

	mu       sync.Mutex
	log      translog.Log
	heads    []discovery.Head // by version − 1; Log is set
	services []*discovery.Service
	nodes    map[identity.NodeID]*dbNode
	crls     [][]byte
	edit     func(path string, from int64, doc []byte) (status int, body []byte) // nil: honest
	header   http.Header                                                         // sent with every reply
	requests []string
	prefer   string // of the last request
}

func newLab(ca *testca.Authority, c *clock, name string) *lab {
	l := &lab{ca: ca, clock: c, id: ca.ID("registry", name), nodes: map[identity.NodeID]*dbNode{}}
	l.tls, l.signing = ca.Issue(l.id), ca.IssueSigning(l.id)
	l.commit()
	return l
}

// commit makes the next version of the nodes given beside those that are there.
func (l *lab) commit(nodes ...*dbNode) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range nodes {
		l.nodes[n.id] = n
	}
	l.version()
}

func (l *lab) version() {
	h := discovery.Head{
		CRLs: must(l.ca.Bundle(l.crls...).CRLHash()), Made: l.clock.Now().Unix(), Network: l.ca.TD.Network(), NID: identity.NID(l.ca.Root),
		Registry: l.id, V: 1, Version: l.log.Size() + 1, Changes: discovery.ChangesHash([]byte("[]")),
	}
	var s *discovery.Service
	if len(l.nodes) > 0 {
		s = discovery.NewService(service, l.listed())
		h.Root, h.Services, h.Records = l.tree(s).Root(), 1, int64(len(l.nodes))
	}
	leaf := must(h.LogLeaf())
	l.log, _ = l.log.Append(leaf)
	h.Log = must(l.log.Root(h.Version))
	l.heads, l.services = append(l.heads, h), append(l.services, s)
}

func (l *lab) listed() []discovery.Listed {
	var out []discovery.Listed
	for _, n := range l.nodes {
		out = append(out, discovery.Listed{Record: n.signed, Status: max(discovery.Up, n.status), Since: start.Unix()})
	}
	return out
}

func (l *lab) tree(s *discovery.Service) prefixmap.Map {
	if s == nil {
		return prefixmap.Map{}
	}
	return prefixmap.Map{}.Put(discovery.ServiceKey(identity.NID(l.ca.Root), s.Name()), s.Value())
}

// seal returns what stands around every reply at a version.
func (l *lab) seal(version, from int64) discovery.Seal {
	h := l.heads[version-1]
	s := discovery.Seal{
		Head:      must(h.Sign(l.signing, l.clock.Now())),
		Registry:  [][]byte{l.signing.Leaf().Raw, l.signing.Issuer().Raw},
		Inclusion: hashes(must(l.log.Inclusion(version, version-1))),
	}
	if from >= 1 && from < version {
		s.Consistency = &discovery.Consistency{From: from, Proof: hashes(must(l.log.Consistency(from, version)))}
	}
	return s
}

func hashes(raw [][32]byte) []identity.Hash {
	out := make([]identity.Hash, len(raw))
	for i, h := range raw {
		out[i] = h
	}
	return out
}

// answer returns the answer at a version to a caller who has seen from.
func (l *lab) answer(version, from int64) []byte {
	s := l.services[version-1]
	a := discovery.Answer{
		Seal: l.seal(version, from), Proof: l.tree(s).Prove(discovery.ServiceKey(identity.NID(l.ca.Root), service)),
		Records: []discovery.AnswerRecord{}, Certificates: [][]byte{}, Issuers: [][]byte{},
	}
	if s != nil {
		a.Issuers = append(a.Issuers, l.ca.NodeIssuer.Raw)
		for _, r := range s.Records() {
			n := l.nodes[r.Record.Node()]
			a.Records = append(a.Records, discovery.AnswerRecord{
				Record: r.Record.Token(), Status: r.Status, Since: r.Since, Heartbeat: discovery.EncodeBeat(n.beat),
				Reason: n.reason, Disputed: n.disputed,
			})
			a.Certificates = append(a.Certificates, r.Record.Certificate().Leaf().Raw)
		}
	}
	return must(json.Marshal(a))
}

func (l *lab) refresh(version, from int64) []byte {
	s := l.services[version-1]
	r := discovery.Refresh{Seal: l.seal(version, from), Proof: l.tree(s).Prove(discovery.ServiceKey(identity.NID(l.ca.Root), service)), Records: []discovery.RefreshRecord{}}
	if s != nil {
		for _, record := range s.Records() {
			r.Records = append(r.Records, discovery.RefreshRecord{Heartbeat: discovery.EncodeBeat(l.nodes[record.Record.Node()].beat)})
		}
	}
	return must(json.Marshal(r))
}

// serve starts the registry and returns its address.
func (l *lab) serve(t *testing.T) string {
	t.Helper()
	return l.serveAs(t, func() *tls.Certificate { return l.tls.TLS() })
}

// serveAs is [lab.serve] with a certificate that need not be a registry's.
func (l *lab) serveAs(t *testing.T, shown func() *tls.Certificate) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(l.handle))
	server.TLS = identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: shown,
			Verify: func(state tls.ConnectionState) error {
				_, err := identity.VerifyPeer(state, l.ca.Bundle(), identity.ClientUse, l.clock.Now())
				return err
			},
		}
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func (l *lab) handle(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r.URL.String())
	l.prefer = r.Header.Get("Prefer")
	from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	contentType, body := l.reply(r.URL.Path, r.URL.Query(), from)
	status := http.StatusOK
	if l.edit != nil {
		status, body = l.edit(r.URL.Path, from, body)
	}
	w.Header().Set("Content-Type", contentType)
	for name, values := range l.header {
		if values[0] != "" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (l *lab) reply(path string, query url.Values, from int64) (contentType string, body []byte) {
	version := l.log.Size()
	switch {
	case path == "/v1/proof":
		to := must(strconv.ParseInt(query.Get("to"), 10, 64))
		return "application/json", must(json.Marshal(map[string]any{"proof": hashes(must(l.log.Consistency(from, to)))}))
	case path == "/v1/bundle":
		return "application/json", must(json.Marshal(l.ca.Bundle(l.crls...)))
	case path == "/v1/head":
		return "application/json", must(json.Marshal(discovery.HeadDocument{Seal: l.seal(version, from)}))
	case path == "/v1/services":
		rows := []discovery.ServiceRow{}
		if s := l.services[version-1]; s != nil {
			rows = append(rows, discovery.ServiceRow(s.Sum()))
		}
		return "application/json", must(json.Marshal(discovery.ServiceList{Seal: l.seal(version, from), Services: rows}))
	case query.Has("known") && query.Get("known") == l.known(version):
		return discovery.RefreshType, l.refresh(version, from)
	}
	return discovery.AnswerType, l.answer(version, from)
}

func (l *lab) known(version int64) string {
	if s := l.services[version-1]; s != nil {
		return s.Value().String()
	}
	return ""
}

// asked returns the paths with queries that were requested since the last call.
func (l *lab) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := l.requests
	l.requests = nil
	return asked
}

// A setup is a network with a client.
type setup struct {
	ca     *testca.Authority
	clock  *clock
	source *identity.Source
	marks  *discovery.Marks
	logs   *logs
}

func newSetup(labs ...string) *setup {
	s := &setup{ca: testca.New("production", "discovery", start), clock: newClock(), marks: discovery.NewMarks(), logs: &logs{}}
	var known []identity.KnownRegistry
	for _, name := range labs {
		known = append(known, identity.KnownRegistry{Registry: s.ca.ID("registry", name), Addresses: []string{}})
	}
	s.source = s.ca.Source(s.ca.ID("client", "alice"), known...)
	return s
}

// client returns a client of the addresses.
func (s *setup) client(t *testing.T, change func(*discovery.Config), addresses ...string) *discovery.Client {
	t.Helper()
	cfg := discovery.Config{
		Source: s.source, Marks: s.marks, Addresses: addresses, MaxStale: discovery.DefaultMaxStale,
		Now: s.clock.Now, Logger: slog.New(slog.NewTextHandler(s.logs, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := discovery.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) has(word string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), word)
}

// names returns the labels of nodes.
func names(nodes []discovery.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Record.Node.Label())
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// wantCode fails the test unless err has the class; "" wants no error.
func wantCode(t *testing.T, err error, want identity.Code) {
	t.Helper()
	if got := identity.CodeOf(err); got != want || (err == nil) != (want == "") {
		t.Errorf("got class %q (%v), want %q", got, err, want)
	}
}

// newForeign returns an authority of the same name with another root.
func newForeign() *testca.Authority { return testca.New("production", "foreign", start) }
