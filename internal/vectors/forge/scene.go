package forge

import (
	"bytes"
	"maps"
	"slices"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// Of the scene that all answers are taken from: when its versions were made,
// and when its records were signed.
const (
	born   = now - 600 // version 1, empty
	first  = now - 300 // version 2: db-1 and web-1
	second = now - 60  // version 3: db-2 and db-3 as well
	third  = now - 20  // version 4: web-2 as well
)

// shortChain is the length of a chain of heartbeats for an hour.
const shortChain = 240

// A scene is one moment of the network with one question and its answer, which
// may be spoilt at every step before it is sent.
type scene struct {
	ca       *testca.Authority
	reg      *registry
	nodes    map[string]*identity.Statement // by label
	creds    map[string]*identity.Credential
	statuses map[string]discovery.Status // of db-…; none: up
	lie      func(*discovery.Head)       // into version 4 and its log
	headLie  func(*discovery.Head)       // when version 4 is signed
	crls     [][]byte
	twice    bool // version 4 lists db-3 twice

	n, from int64 // the version that answers, and the one asked from
	iat     int64
	v       vectors.Answer
	beats   map[string]int64 // number of the token that is sent
	spoil   func(*discovery.Answer)
	doc     func(string) string
}

// newScene returns a good answer about "databaseservice" at version 4.
func newScene(prepare ...func(*scene)) *scene {
	ca := newCA()
	s := &scene{ca: ca, nodes: map[string]*identity.Statement{}, creds: map[string]*identity.Credential{}, statuses: map[string]discovery.Status{}, beats: map[string]int64{}, n: 4, iat: now}
	for _, label := range []string{"db-1", "db-2", "db-3"} {
		s.put(ca.Issue(ca.ID(service, label)), nil)
		s.beats[label] = 20
	}
	for _, label := range []string{"web-1", "web-2"} {
		s.put(ca.Issue(ca.ID("web", label)), nil)
	}
	s.reg = newRegistry(ca, "r1")
	s.v = vectors.Answer{Kind: vectors.AnswerKind, Now: now + 1, Service: service, Peer: &s.reg.id, Registries: []identity.NodeID{s.reg.id}}
	for _, p := range prepare {
		p(s)
	}
	s.commit(s.reg, s.lie)
	return s
}

// put gives a node a record signed 300 s ago, after change.
func (s *scene) put(cred *identity.Credential, change func(*identity.Record)) {
	label := cred.ID().Label()
	s.creds[label] = cred
	s.nodes[label] = must(identity.SignRecord(s.record(cred.ID(), change), cred, s.ca.Bundle()))
}

func (s *scene) record(id identity.NodeID, change func(*identity.Record)) identity.Record {
	r := newRecordOf(s.ca, id, newChain(id, shortChain), shortChain)
	r.Epoch, r.IAT, r.Exp = first, first, first+hour
	if change != nil {
		change(&r)
	}
	return r
}

// commit makes the scene's four versions in a registry.
func (s *scene) commit(r *registry, lie func(*discovery.Head)) {
	r.commit(born, nil, nil)
	r.commit(first, s.puts("db-1", "web-1"), nil, s.service(service, first, "db-1"), s.service("web", first, "web-1"))
	all := []string{"db-1", "db-2", "db-3"}
	r.commit(second, s.puts("db-2", "db-3"), nil, s.service(service, second, all...), s.service("web", first, "web-1"))
	if s.twice {
		all = append(all, "db-3")
	}
	r.commit(third, s.puts("web-2"), lie, s.service(service, second, all...), s.service("web", third, "web-1", "web-2"))
}

func (s *scene) puts(labels ...string) []discovery.Change {
	var changes []discovery.Change
	for _, l := range labels {
		changes = append(changes, discovery.Change{Node: s.nodes[l].Node(), New: s.nodes[l].RID(), Reason: discovery.ReasonPut, Status: discovery.Up, Since: now})
	}
	return changes
}

// service lists the nodes; db-1 is known since version 2, the others since made.
func (s *scene) service(name string, made int64, labels ...string) *discovery.Service {
	var listed []discovery.Listed
	for _, l := range labels {
		since := made
		if l == "db-1" || l == "web-1" {
			since = first
		}
		listed = append(listed, discovery.Listed{Record: s.nodes[l], Status: s.status(l), Since: since})
	}
	return discovery.NewService(name, listed)
}

func (s *scene) status(label string) discovery.Status {
	if st, ok := s.statuses[label]; ok {
		return st
	}
	return discovery.Up
}

func (s *scene) beat(label string, k int64) identity.Beat {
	t, _ := newChain(s.nodes[label].Node(), shortChain).Token(k)
	return identity.Beat{K: k, Token: t}
}

// answer returns what the registry sends about the service that was asked for.
func (s *scene) answer() discovery.Answer {
	a := discovery.Answer{
		Seal: s.reg.seal(s.n, s.from, s.iat, s.headLie), Proof: s.reg.proof(s.n, s.v.Service),
		Records: []discovery.AnswerRecord{}, Certificates: [][]byte{}, Issuers: [][]byte{},
	}
	svc := s.reg.at(s.n).services[s.v.Service]
	if svc == nil {
		return a
	}
	for _, l := range svc.Records() {
		a.Records = append(a.Records, s.entry(l))
		a.Certificates = append(a.Certificates, l.Record.Certificate().Leaf().Raw)
		if der := l.Record.Certificate().Issuer().Raw; !slices.ContainsFunc(a.Issuers, func(have []byte) bool { return string(have) == string(der) }) {
			a.Issuers = append(a.Issuers, der)
		}
	}
	return a
}

func (s *scene) entry(l discovery.Listed) discovery.AnswerRecord {
	label := l.Record.Node().Label()
	r := discovery.AnswerRecord{Record: l.Record.Token(), Status: l.Status, Since: l.Since}
	if k := s.beats[label]; k > 0 {
		r.Heartbeat = discovery.EncodeBeat(s.beat(label, k))
	}
	return r
}

// since sets the mark that the reader has of the registry.
func since(n int64) func(*scene) {
	return func(s *scene) { s.from = n }
}

// vector returns the vector of the scene's answer.
func (s *scene) vector(name string, class identity.Code) vectors.Answer {
	v := s.v
	v.Name, v.Class = name, class
	v.Bundle = encode(s.ca.BundleDocument(s.crls...))
	if s.from > 0 && v.Mark == nil {
		mark := s.reg.mark(s.from)
		v.Mark = &mark
	}
	if v.Doc == "" && v.Gzip == nil {
		a := s.answer()
		if s.spoil != nil {
			s.spoil(&a)
		}
		v.Doc = string(encode(a))
	}
	if s.doc != nil {
		v.Doc = s.doc(v.Doc)
	}
	return v
}

// want returns what an honest answer of the scene proves, all nodes active.
func (s *scene) want() *vectors.AnswerWant {
	w := &vectors.AnswerWant{
		Registry: s.reg.id, Mark: s.reg.mark(s.n), Active: []identity.NodeID{}, Nodes: []vectors.NodeWant{}, LeftOut: []vectors.LeftOut{},
	}
	svc := s.reg.at(s.n).services[s.v.Service]
	if svc == nil {
		return w
	}
	w.Found, w.Value = true, new(svc.Value())
	w.Marks = maps.Clone(s.v.Nodes)
	if w.Marks == nil {
		w.Marks = map[identity.NodeID]discovery.NodeMark{}
	}
	for _, l := range svc.Records() {
		id := l.Record.Node()
		w.Marks[id] = markOf(l.Record)
		w.Active = append(w.Active, id)
		w.Nodes = append(w.Nodes, vectors.NodeWant{ID: id, RID: l.Record.RID(), Status: l.Status.String(), Since: l.Since, K: s.beats[id.Label()], Live: true})
	}
	return w
}

// unlike changes what is expected of one node: out of the active ones, for the
// reason given.
func unlike(w *vectors.AnswerWant, label, reason string, live bool, k int64) {
	for i := range w.Nodes {
		if w.Nodes[i].ID.Label() == label {
			w.Nodes[i].Reason, w.Nodes[i].Live, w.Nodes[i].K = reason, live, k
		}
	}
	w.Active = slices.DeleteFunc(w.Active, func(id identity.NodeID) bool { return id.Label() == label })
}

// without expects a node to be left out.
func without(w *vectors.AnswerWant, label string, code identity.Code) {
	for _, n := range w.Nodes {
		if n.ID.Label() == label {
			w.LeftOut = append(w.LeftOut, vectors.LeftOut{ID: n.ID, Code: code})
		}
	}
	w.Nodes = slices.DeleteFunc(w.Nodes, func(n vectors.NodeWant) bool { return n.ID.Label() == label })
	w.Active = slices.DeleteFunc(w.Active, func(id identity.NodeID) bool { return id.Label() == label })
}

func markOf(st *identity.Statement) discovery.NodeMark {
	return discovery.NodeMark{Epoch: st.Epoch(), Sequence: st.Sequence(), RID: st.RID(), IAT: st.IssuedAt()}
}

// marked expects the mark of a node that was left out: what the reader had
// before, unless the node was seen to sign two records for one place.
func (s *scene) marked(w *vectors.AnswerWant, label string, code identity.Code) {
	id := s.nodes[label].Node()
	before, known := s.v.Nodes[id]
	switch {
	case code == identity.Equivocation:
		m := w.Marks[id]
		m.Equivocated = true
		if bytes.Compare(before.RID[:], m.RID[:]) > 0 {
			m.RID = before.RID
		}
		w.Marks[id] = m
	case known:
		w.Marks[id] = before
	default:
		delete(w.Marks, id)
	}
}

// remember gives the reader a mark of a node.
func (s *scene) remember(label string, change func(*discovery.NodeMark)) {
	st := s.nodes[label]
	m := markOf(st)
	change(&m)
	nodes := maps.Clone(s.v.Nodes)
	if nodes == nil {
		nodes = map[identity.NodeID]discovery.NodeMark{}
	}
	nodes[st.Node()] = m
	s.v.Nodes = nodes
}
