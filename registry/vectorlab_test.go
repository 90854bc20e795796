package registry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/registry"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

const (
	vectorFolder = "../testdata/vectors"
	vectorSigned = 1_795_348_800       // when the statements of all vectors were signed
	vectorIssued = vectorSigned - 3600 // and the certificates
)

// A lab is a registry of the vectors' network: real TLS on loopback, a store in
// memory, and a clock that stands where the test puts it.
type lab struct {
	*world
	t          *testing.T
	served     *served
	store      *memstore.Store
	stop       func() // stops the catalog, which writes what it still holds
	clock      *atomic.Int64
	admitting  *atomic.Pointer[func()] // called once when the catalog next reads the clock, after it has
	handshakes chan string             // why handshakes failed, as the server logs it
	reader     *identity.Source
	neighbour  *resident // nil: there is none
}

// newLab starts a registry at a moment, under the bundle of the vectors, which
// is the one that the same seed makes here.
func newLab(t *testing.T, bundle json.RawMessage, now int64) *lab {
	t.Helper()
	ca := forge.Authority()
	for range 100 {
		ca.Template(ca.ID("web", "none")) // serial numbers that the vectors use, some to revoke them
	}
	clock := &atomic.Int64{}
	clock.Store(now)
	l := &lab{t: t, clock: clock, store: memstore.New(), admitting: &atomic.Pointer[func()]{}, handshakes: make(chan string, 64)}
	l.reader = ca.Source(ca.ID("client", "reader"))
	l.world = &world{ca: ca, now: func() time.Time { return time.Unix(clock.Load(), 0) }}
	var err error
	if l.source, err = identity.NewMemorySource(l.identity(bundle)); err != nil {
		t.Fatal(err)
	}
	l.catalog, err = catalog.New(catalog.Config{Source: l.source, Store: l.store, Now: l.catalogNow, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.catalog.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.stop = background(t, l.catalog.Run)
	l.serve()
	return l
}

// catalogNow is the catalog's clock.
func (l *lab) catalogNow() time.Time {
	now := l.now()
	if then := l.admitting.Swap(nil); then != nil {
		(*then)()
	}
	return now
}

// serve starts a server, with budgets of its own, in place of the one before.
func (l *lab) serve() {
	l.t.Helper()
	l.served = serve(l.t, func(c *registry.Config) { c.Logger = slog.New(&handshakeLog{out: l.handshakes}) }, l.world)
}

// in returns the lab for a subtest.
func (l *lab) in(t *testing.T) *lab {
	t.Helper()
	c := *l
	c.t = t
	return &c
}

// identity returns the registry's own, which outlives everything in the vectors.
func (l *lab) identity(bundle json.RawMessage) *identity.Identity {
	l.t.Helper()
	b, err := identity.ParseBundle(bundle)
	if err != nil {
		l.t.Fatal(err)
	}
	i := l.ca.Identity(l.ca.ID("registry", "reg-1"))
	i.Credential, i.Bundle = l.ca.Issue(i.ID(), longLived), b
	return i
}

func longLived(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(10 * 24 * time.Hour) }

// trust puts another bundle in force, as after a fetch of the lists.
func (l *lab) trust(bundle json.RawMessage) {
	l.t.Helper()
	b, err := identity.ParseBundle(bundle)
	if err != nil {
		l.t.Fatal(err)
	}
	next := *l.source.Identity()
	next.Bundle = b
	if err := l.source.Replace(&next); err != nil {
		l.t.Fatal(err)
	}
}

// A handshakeLog passes on why handshakes failed, which nobody is told who
// failed.
type handshakeLog struct {
	slog.Handler
	out chan<- string
}

func (h *handshakeLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *handshakeLog) Handle(_ context.Context, r slog.Record) error {
	_, rest, found := strings.Cut(r.Message, "TLS handshake error from ")
	_, reason, _ := strings.Cut(rest, ": ")
	if found {
		h.out <- reason
	}
	return nil
}

// A resident is somebody with a certificate of the network and a connection.
type resident struct {
	*node
	token  string // of a statement that the registry holds
	closed bool   // the registry has ended the connection with its last reply
}

// dial returns a caller with a client certificate. Nothing is sent yet.
func (l *lab) dial(certificate, issuer []byte) *resident {
	l.t.Helper()
	chain := tls.Certificate{Certificate: [][]byte{certificate, issuer}, PrivateKey: forge.KeyOf(certificate)}
	conf := identity.ClientTLS(l.reader, func() time.Time { return time.Unix(vectorSigned, 0) })
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &chain, nil }
	conf.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{
		TLSClientConfig: conf, DisableCompression: true, ExpectContinueTimeout: time.Minute,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", l.served.addr)
		},
	}
	l.t.Cleanup(transport.CloseIdleConnections)
	return &resident{node: &node{
		t: l.t, base: "https://" + l.served.addr, now: l.now,
		http: &http.Client{Transport: &checked{l.t, transport}}, opener: discovery.NewOpener(l.ca.Bundle()),
	}}
}

// send is do for callers who may not be let in: the error is that of the
// connection.
func (r *resident) send(req *http.Request) (reply, error) {
	res, err := r.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	r.closed = res.Close
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, body}, err
}

// message returns the request that posts a body.
func (r *resident) message(path, mediaType string, body []byte) *http.Request {
	r.t.Helper()
	req := r.request(http.MethodPost, path, body)
	req.Header.Set("Content-Type", mediaType)
	return req
}

// mustSend is send for callers who are let in.
func (r *resident) mustSend(req *http.Request) reply {
	r.t.Helper()
	got, err := r.send(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// postStatement posts a record or tombstone.
func (r *resident) postStatement(token string) reply {
	r.t.Helper()
	return r.mustSend(r.message("/v1/records", discovery.JWSType, []byte(token)))
}

// shut fails unless the registry refuses the caller in the handshake, for the
// class.
func (l *lab) shut(r *resident, req *http.Request, class identity.Code) {
	l.t.Helper()
	if got, err := r.send(req); err == nil {
		l.t.Fatalf("let in and answered %d %s", got.status, got.body)
	}
	select {
	case reason := <-l.handshakes:
		if got, _, _ := strings.Cut(reason, ":"); got != string(class) {
			l.t.Errorf("the handshake failed with %q, want class %s", reason, class)
		}
	case <-time.After(time.Minute):
		l.t.Error("the server knows of no failed handshake")
	}
}

// hold has a signed statement of the vectors accepted, as the state of its node.
func (l *lab) hold(s vectors.Signed) *resident {
	l.t.Helper()
	r := l.dial(s.Certificate, s.Issuer)
	want(l.t, r.postStatement(s.Token), http.StatusCreated)
	r.token = s.Token
	return r
}

// settle has a node of another service registered, so that there is something
// to damage, and whom [lab.rest] asks.
func (l *lab) settle() {
	l.t.Helper()
	id := l.ca.ID("web", "neighbour")
	cred := l.ca.Issue(id, longLived)
	st := l.record(cred, 24)
	l.neighbour = l.hold(vectors.Signed{Token: st.Token(), Certificate: st.Certificate().Leaf().Raw, Issuer: st.Certificate().Issuer().Raw})
}

// rest returns when the catalog has done all that was asked of it before, at the
// clock of now: its committer takes up the second of two posts only after
// everything that went with the first.
func (l *lab) rest() {
	l.t.Helper()
	for range 2 {
		want(l.t, l.neighbour.postStatement(l.neighbour.token), http.StatusOK)
	}
}

// holdings are all that a registry holds, in memory and in its store.
type holdings struct {
	Head     discovery.Head // without its times
	Services []discovery.ServiceRow
	Answers  map[string][]discovery.AnswerRecord // with heartbeats
	Store    memstore.Contents                   // without heartbeats, which are written later
}

func (l *lab) holdings() holdings {
	l.t.Helper()
	snap := l.catalog.Snapshot()
	h := holdings{Head: snap.Head(), Services: snap.Services(), Answers: map[string][]discovery.AnswerRecord{}, Store: l.store.Contents()}
	h.Head.IAT, h.Head.Exp, h.Store.Beats = 0, 0, nil
	for _, s := range h.Services {
		a, err := snap.Answer(s.Service, 0)
		if err != nil {
			l.t.Fatal(err)
		}
		h.Answers[s.Service] = a.Records
	}
	return h
}

// unchanged fails if the registry holds anything else than before.
func (l *lab) unchanged(before holdings) {
	l.t.Helper()
	if d := cmp.Diff(before, l.holdings(), cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); d != "" {
		l.t.Errorf("something refused changed the registry (before -, after +)\n%s", d)
	}
}

// statement opens a statement of the vectors as its signer would.
func (l *lab) statement(s vectors.Signed) *identity.Statement {
	l.t.Helper()
	leaf, issuer, err := identity.ParsePair([][]byte{s.Certificate, s.Issuer})
	if err != nil {
		l.t.Fatal(err)
	}
	b := l.ca.Bundle()
	cert, err := b.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		l.t.Fatal(err)
	}
	env, err := identity.ParseEnvelope(s.Token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		l.t.Fatal(err)
	}
	st, err := b.OpenStatement(env, cert)
	if err != nil {
		l.t.Fatal(err)
	}
	return st
}

// discover asks for a service as a client of the network does, and verifies the
// answer.
func (l *lab) discover(service string) *discovery.View {
	l.t.Helper()
	cred := l.reader.Identity().Credential
	return l.dial(cred.Leaf().Raw, cred.Issuer().Raw).view(service)
}

// eachVector runs check on every vector of a file.
func eachVector[V interface{ Title() string }](t *testing.T, file string, check func(*testing.T, V)) {
	t.Helper()
	f, err := vectors.Read[V](vectorFolder, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range f.Vectors {
		t.Run(v.Title(), func(t *testing.T) { check(t, v) })
	}
}
