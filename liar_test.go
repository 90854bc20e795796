package netget_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// A liar is a registry of one record that a test makes lie, stall or refuse.
type liar struct {
	ca           *testca.Authority
	id           identity.NodeID
	tls, signing *identity.Credential
	url          string
	server       *httptest.Server

	mu       sync.Mutex
	log      translog.Log
	head     discovery.Head
	service  *discovery.Service
	held     *identity.Statement
	lie      func(w http.ResponseWriter, path string, s *identity.Statement) bool // nil: honest; false: go on
	beats    []identity.Hash                                                      // rid of each heartbeat
	received []*identity.Statement
	events   http.HandlerFunc // of GET /v1/events; nil: there are none
	hang     http.HandlerFunc // of heartbeats, instead of all else; nil: they are answered
}

func newLiar(t *testing.T, ca *testca.Authority, label string) *liar {
	t.Helper()
	l := &liar{ca: ca, id: ca.ID("registry", label)}
	l.tls, l.signing = ca.Issue(l.id), ca.IssueSigning(l.id)
	l.commit()
	server := httptest.NewUnstartedServer(http.HandlerFunc(l.handle))
	server.TLS = identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return l.tls.TLS() },
			Verify:     func(tls.ConnectionState) error { return nil },
		}
	})
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	l.url, l.server = server.URL, server
	return l
}

// onList puts liars on an identity's list of registries.
func onList(liars ...*liar) func(*identity.Identity) {
	return func(i *identity.Identity) {
		for _, l := range liars {
			i.Document.Registries = append(i.Document.Registries, identity.KnownRegistry{Registry: l.id, Addresses: []string{l.url}})
		}
	}
}

func sure[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func (l *liar) commit() {
	h := discovery.Head{
		CRLs: sure(l.ca.Bundle().CRLHash()), Changes: discovery.ChangesHash([]byte("[]")), Made: time.Now().Unix(),
		Network: l.ca.TD.Network(), NID: identity.NID(l.ca.Root), Registry: l.id, V: 1, Version: l.log.Size() + 1,
	}
	if l.held != nil {
		l.service = discovery.NewService(l.held.Node().Service(), []discovery.Listed{{Record: l.held, Status: discovery.Up, Since: h.Made}})
		h.Root, h.Services, h.Records = l.tree().Root(), 1, 1
	}
	l.log, _ = l.log.Append(sure(h.LogLeaf()))
	h.Log = sure(l.log.Root(h.Version))
	l.head = h
}

func (l *liar) tree() prefixmap.Map { return prefixmap.Map{}.Put(l.key(), l.service.Value()) }

func (l *liar) key() identity.Hash {
	return discovery.ServiceKey(identity.NID(l.ca.Root), l.service.Name())
}

func (l *liar) handle(w http.ResponseWriter, r *http.Request) {
	body := sure(io.ReadAll(r.Body))
	from, _ := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	if r.URL.Path == "/v1/events" && l.events != nil {
		l.events(w, r)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if hang := l.hang; hang != nil && r.URL.Path == "/v1/heartbeats" {
		l.mu.Unlock()
		hang(w, r)
		l.mu.Lock()
		return
	}
	var s *identity.Statement
	var beat discovery.BeatRequest
	switch r.URL.Path {
	case "/v1/records":
		bundle := l.ca.Bundle()
		cert := sure(bundle.Verify(r.TLS.PeerCertificates[0], r.TLS.PeerCertificates[1], identity.ClientUse))
		s = sure(bundle.OpenStatement(sure(identity.ParseEnvelope(string(body), identity.RecordTyp, identity.TombstoneTyp)), cert))
		l.received = append(l.received, s)
	case "/v1/heartbeats":
		if err := json.Unmarshal(body, &beat); err != nil {
			panic(err)
		}
		l.beats = append(l.beats, beat.RID)
	}
	if l.lie != nil && l.lie(w, r.URL.Path, s) {
		return
	}
	switch {
	case s != nil && !s.IsTombstone():
		l.held = s
		l.commit()
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(l.receipt(from))
	case beat.K > 0:
		reply := discovery.BeatReply{RID: beat.RID, Status: discovery.Up, Time: time.Now().Unix(), Version: l.head.Version}
		if beat.Receipt {
			receipt := l.receipt(from)
			reply.Receipt = &receipt
		}
		_ = json.NewEncoder(w).Encode(reply)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (l *liar) receipt(from int64) discovery.Receipt {
	seal := discovery.Seal{
		Head: sure(l.head.Sign(l.signing, time.Now())), Registry: [][]byte{l.signing.Leaf().Raw, l.signing.Issuer().Raw},
		Inclusion: hashes(sure(l.log.Inclusion(l.head.Version, l.head.Version-1))),
	}
	if from >= 1 && from < l.head.Version {
		seal.Consistency = &discovery.Consistency{From: from, Proof: hashes(sure(l.log.Consistency(from, l.head.Version)))}
	}
	record, status, err := l.service.Paths(0)
	if err != nil {
		panic(err)
	}
	sum := l.service.Sum()
	return discovery.Receipt{
		Seal: seal, RID: l.held.RID(), Time: time.Now().Unix(), Proof: l.tree().Prove(l.key()),
		Service:    discovery.ReceiptService{Count: 1, RecordsRoot: sum.RecordsRoot, StatusRoot: sum.StatusRoot},
		RecordPath: record, StatusPath: status, Status: discovery.Up, Since: l.service.Records()[0].Since, Notes: []string{},
	}
}

func hashes(raw [][32]byte) []identity.Hash {
	out := make([]identity.Hash, len(raw))
	for i, h := range raw {
		out[i] = h
	}
	return out
}

// tell makes the liar lie from now on.
func (l *liar) tell(lie func(w http.ResponseWriter, path string, s *identity.Statement) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie, l.received, l.beats = lie, nil, nil
}

// hangs has heartbeats answered, or not, by hang from now on.
func (l *liar) hangs(hang http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hang = hang
}

// got returns how many records came since the last lie began.
func (l *liar) got() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.received)
}

// refuse answers that s is the node's state.
func refuse(w http.ResponseWriter, s *identity.Statement) {
	p := identity.NewProblem(identity.Superseded)
	p.Current, p.Certificate, p.Issuer = s.Token(), s.Certificate().Leaf().Raw, s.Certificate().Issuer().Raw
	w.Header().Set("Content-Type", discovery.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func TestRevokedOperatorCannotRemove(t *testing.T) {
	w := newWorld(t, "r1")
	evil := newLiar(t, w.ca, "evil")
	operator := w.ca.Issue(w.ca.ID("operator", "op-1"))
	dir := w.folder(t, "svc", "n-1", onList(evil), func(i *identity.Identity) {
		i.Bundle = sure(i.Bundle.Merge(nil, [][]byte{w.ca.CRL(7, operator.Leaf())}))
	})
	evil.tell(func(rw http.ResponseWriter, _ string, _ *identity.Statement) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	n := w.node(t, dir)
	r := register(t, n)
	tombstone := sure(identity.SignTombstone(identity.NewTombstone(r.ID, w.ca.Bundle().NID(), r.Epoch, identity.MaxSequence, time.Now().Unix()), operator, w.ca.Bundle()))
	evil.tell(func(rw http.ResponseWriter, _ string, _ *identity.Statement) bool { refuse(rw, tombstone); return true })
	eventually(t, "two refusals", func() bool { return evil.got() >= 2 })
	if st := sure(n.Status(t.Context())); slices.Contains(st.Problems, netget.ErrRemoved.Error()) || w.registries[0].listed(r.ID) == nil {
		t.Errorf("a revoked operator's tombstone ended the node: %v", st.Problems)
	}
}

func TestOwnRecordReplayedIsNoOtherProgram(t *testing.T) {
	w := newWorld(t, "r1")
	evil := newLiar(t, w.ca, "evil")
	evil.tell(func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s == nil {
			return false
		}
		refuse(rw, s)
		return true
	})
	n := w.node(t, w.folder(t, "svc", "n-1", onList(evil)))
	r := register(t, n)
	eventually(t, "two refusals", func() bool { return evil.got() >= 2 })
	now, _ := n.Registration()
	if st := sure(n.Status(t.Context())); slices.Contains(st.Problems, "identity-shared") || now.RID != r.RID {
		t.Errorf("got %v and sequence %d, want the record as it was, %d", st.Problems, now.Sequence, r.Sequence)
	}
}

func TestNoTokenAfterALaterRecord(t *testing.T) {
	w := newWorld(t)
	a, b := newLiar(t, w.ca, "a"), newLiar(t, w.ca, "b")
	dir := w.folder(t, "svc", "n-1", onList(a, b))
	n := w.node(t, dir, func(o *netget.Options) { o.TTL, o.HeartbeatInterval = 6*time.Second, time.Second })
	r := register(t, n)
	eventually(t, "both registries", func() bool { now, _ := n.Registration(); return len(now.Accepted) == 2 })
	// The renewal at half of its life stalls at a. Meanwhile b shows a later
	// epoch of another program, so the node signs one after that.
	stalled, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	a.tell(func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s == nil || s.Epoch() != r.Epoch {
			return false
		}
		once.Do(func() { close(stalled) })
		a.mu.Unlock()
		<-release
		a.mu.Lock()
		a.beats = nil
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	other := record(t, load(t, dir), r.Epoch+5, 1)
	b.tell(func(rw http.ResponseWriter, _ string, s *identity.Statement) bool {
		if s == nil || s.Epoch() != r.Epoch {
			return false
		}
		<-stalled
		refuse(rw, other)
		return true
	})
	eventually(t, "a later epoch", func() bool { now, _ := n.Registration(); return now.Epoch > r.Epoch })
	later := time.Now()
	eventually(t, "another token of the earlier record", func() bool { return time.Since(later) > 1200*time.Millisecond })
	close(release)
	eventually(t, "the later record at a", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.held.Epoch() > r.Epoch
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.ContainsFunc(a.beats, func(rid identity.Hash) bool { return rid == r.RID }) {
		t.Error("a token of the earlier epoch was revealed after the later one was signed")
	}
}

func TestRegistriesComeWhileTheRegistrationEnds(t *testing.T) {
	w := newWorld(t, "r1")
	for i := range 10 {
		n := w.node(t, w.folder(t, "svc", fmt.Sprintf("n-%d", i)))
		register(t, n)
		var adding sync.WaitGroup
		adding.Go(func() {
			for port := range 50 {
				_ = n.AddRegistryNode(fmt.Sprintf("https://127.0.0.1:%d", 1+port))
			}
		})
		if _, err := n.Deregister(t.Context()); err != nil {
			t.Error(err)
		}
		adding.Wait()
	}
}

func TestMetadataHandedOutIsACopy(t *testing.T) {
	w := newWorld(t, "r1")
	register(t, w.node(t, w.folder(t, "svc", "n-1"), func(o *netget.Options) { o.Metadata = map[string]string{"zone": "a"} }))
	c := w.client(t)
	for range 2 {
		nodes, err := c.DiscoverServiceNodes(t.Context(), "svc")
		if err != nil || nodes[0].Metadata["zone"] != "a" {
			t.Fatalf("got %v, %v", nodes, err)
		}
		nodes[0].Metadata["zone"] = strings.Repeat("b", 3)
	}
}
