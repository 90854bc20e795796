package forge

import (
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// refreshed is a refresh of the scene's answer, ten seconds later.
func (s *scene) refreshed(change func(*discovery.Refresh)) {
	s.v.Kind = vectors.RefreshKind
	s.v.Full = string(encode(s.answer()))
	s.iat, s.v.Now = now+10, now+11
	for l := range s.beats {
		s.beats[l]++
	}
	a := s.answer()
	r := discovery.Refresh{Seal: a.Seal, Proof: a.Proof, Records: []discovery.RefreshRecord{}}
	for _, e := range a.Records {
		r.Records = append(r.Records, discovery.RefreshRecord{Heartbeat: e.Heartbeat})
	}
	if change != nil {
		change(&r)
	}
	s.v.Doc = string(encode(r))
}

func refreshes() []vectors.Answer {
	one := func(name string, class identity.Code, prepare func(*scene), change func(*scene, *discovery.Refresh)) vectors.Answer {
		s := newScene(prepare)
		s.refreshed(func(r *discovery.Refresh) {
			if change != nil {
				change(s, r)
			}
		})
		v := s.vector(name, class)
		if class == "" {
			v.Want = s.want()
		}
		return v
	}
	nothing := func(*scene) {}
	return []vectors.Answer{
		one("a refresh with newer tokens", "", nothing, nil),
		one("a refresh of an absence", "", func(s *scene) { s.v.Service = "billing" }, nil),
		one("a refresh with a forged token, which leaves what was known", "", nothing, func(s *scene, r *discovery.Refresh) {
			r.Records[1].Heartbeat = discovery.EncodeBeat(identity.Beat{K: 21, Token: hashOf("forged")})
			s.beats["db-2"] = 20
		}),
		one("a refresh without a token, which leaves what was known", "", nothing, func(s *scene, r *discovery.Refresh) {
			r.Records[1].Heartbeat = nil
			s.beats["db-2"] = 20
		}),
		one("a refresh of another value", identity.Malformed, nothing, func(s *scene, r *discovery.Refresh) {
			r.Seal, r.Proof = s.reg.seal(2, 0, s.iat, nil), s.reg.proof(2, service)
		}),
		one("a refresh of another number of records", identity.Malformed, nothing, func(_ *scene, r *discovery.Refresh) { r.Records = r.Records[1:] }),
		one("a refresh of an absence with a record", identity.Malformed, func(s *scene) { s.v.Service = "billing" }, func(_ *scene, r *discovery.Refresh) {
			r.Records = append(r.Records, discovery.RefreshRecord{})
		}),
		one("a refresh without a list of records", identity.Malformed, nothing, func(_ *scene, r *discovery.Refresh) { r.Records = nil }),
		one("a refresh of an absence without a list of records", identity.Malformed, func(s *scene) { s.v.Service = "billing" }, func(_ *scene, r *discovery.Refresh) { r.Records = nil }),
		one("a refresh with a member twice", identity.Malformed, func(s *scene) { s.doc = twiceHead }, nil),
		one("a refresh with an expired head", identity.Stale, nothing, func(s *scene, _ *discovery.Refresh) { s.v.Now = now + 100 }),
		one("a refresh with a wrong proof", identity.Incomplete, nothing, func(s *scene, r *discovery.Refresh) { r.Proof = s.reg.proof(4, "web") }),
		one("a refresh below the mark", identity.Rollback, func(s *scene) { s.n = 3 }, func(s *scene, _ *discovery.Refresh) { s.from = 4 }),
	}
}

// receipt returns the receipt for a record of the scene.
func (s *scene) receipt(label string) discovery.Receipt {
	svc := s.reg.at(s.n).services[s.v.Service]
	index, _ := svc.Index(s.nodes[label].Node())
	record, status, err := svc.Paths(index)
	check(err)
	sum := svc.Sum()
	return discovery.Receipt{
		Seal: s.reg.seal(s.n, s.from, s.iat, s.headLie), RID: s.nodes[label].RID(), Time: s.iat + 1, Proof: s.reg.proof(s.n, s.v.Service),
		Service: discovery.ReceiptService{Count: sum.Count, RecordsRoot: sum.RecordsRoot, StatusRoot: sum.StatusRoot},
		Index:   int64(index), RecordPath: record, Status: svc.Records()[index].Status, Since: svc.Records()[index].Since, StatusPath: status, Notes: []string{},
	}
}

func receipts() []vectors.Answer {
	one := func(name string, class identity.Code, prepare func(*scene), change func(*scene, *discovery.Receipt)) vectors.Answer {
		s := newScene(prepare)
		s.v.Kind = vectors.ReceiptKind
		st := signed(s.nodes["db-2"])
		s.v.Statement = &st
		r := s.receipt("db-2")
		if change != nil {
			change(s, &r)
		}
		if s.v.Doc == "" {
			s.v.Doc = string(encode(r))
		}
		v := s.vector(name, class)
		if class == "" {
			w := s.want()
			v.Want = &vectors.AnswerWant{
				Registry: w.Registry, Mark: w.Mark, Found: true, Active: []identity.NodeID{}, Nodes: []vectors.NodeWant{}, LeftOut: []vectors.LeftOut{},
				Status: s.status("db-2").String(), Since: second,
			}
		}
		return v
	}
	list := []vectors.Answer{
		one("a receipt for one of three records", "", func(*scene) {}, nil),
		one("a receipt from an earlier version", "", since(2), nil),
		one("a receipt with a note", "", func(*scene) {}, func(_ *scene, r *discovery.Receipt) { r.Notes = []string{"the probe target is not allowed"} }),
		one("a receipt for a node that is down", "", func(s *scene) { s.statuses["db-2"] = discovery.Down }, nil),
	}
	for _, b := range []struct {
		name   string
		change func(*scene, *discovery.Receipt)
	}{
		{"a receipt with another rid", func(s *scene, r *discovery.Receipt) { r.RID = s.nodes["db-3"].RID() }},
		{"a receipt for another record", func(s *scene, r *discovery.Receipt) { *r = s.receipt("db-3") }},
		{"a receipt for another record that claims to be for this", func(s *scene, r *discovery.Receipt) { *r = s.receipt("db-3"); r.RID = s.nodes["db-2"].RID() }},
		{"a receipt with another index", func(_ *scene, r *discovery.Receipt) { r.Index++ }},
		{"a receipt with a negative index", func(_ *scene, r *discovery.Receipt) { r.Index = -1 }},
		{"a receipt with an index beyond the count", func(_ *scene, r *discovery.Receipt) { r.Index = 3 }},
		{"a receipt with another count", func(_ *scene, r *discovery.Receipt) { r.Service.Count = 2 }},
		{"a receipt with count 0", func(_ *scene, r *discovery.Receipt) { r.Service.Count = 0 }},
		{"a receipt with another root of records", func(_ *scene, r *discovery.Receipt) { r.Service.RecordsRoot = hashOf("root") }},
		{"a receipt with another root of statuses", func(_ *scene, r *discovery.Receipt) { r.Service.StatusRoot = hashOf("root") }},
		{"a receipt with a wrong path of the record", func(_ *scene, r *discovery.Receipt) { r.RecordPath[0] = hashOf("path") }},
		{"a receipt with an empty path of the record", func(_ *scene, r *discovery.Receipt) { r.RecordPath = []identity.Hash{} }},
		{"a receipt with a wrong path of the status", func(_ *scene, r *discovery.Receipt) { r.StatusPath[0] = hashOf("path") }},
		{"a receipt with the status flipped", func(_ *scene, r *discovery.Receipt) { r.Status = discovery.Down }},
		{"a receipt with since changed", func(_ *scene, r *discovery.Receipt) { r.Since-- }},
		{"a receipt with the proof of another service", func(s *scene, r *discovery.Receipt) { r.Proof = s.reg.proof(4, "web") }},
		{"a receipt with a verified absence", func(s *scene, r *discovery.Receipt) {
			r.Seal, r.Proof = s.reg.seal(1, 0, s.iat, nil), s.reg.proof(1, service)
		}},
	} {
		list = append(list, one(b.name, identity.Incomplete, func(*scene) {}, b.change))
	}
	list = append(list,
		one("a receipt that is right in itself, of a tree that is not the head's", identity.Incomplete, func(*scene) {}, func(s *scene, r *discovery.Receipt) { s.madeUp(r) }),
		one("a receipt since a time after the version was made", identity.Incomplete, func(s *scene) {
			s.lie = func(h *discovery.Head) { h.Made = second - 1 }
		}, nil),
		one("a receipt among more records than the head counts", identity.Incomplete, func(s *scene) {
			s.lie = func(h *discovery.Head) { h.Records = 2 }
		}, nil),
	)
	missing := func(member, with string) func(*scene, *discovery.Receipt) {
		return func(s *scene, r *discovery.Receipt) { s.v.Doc = replace(string(encode(*r)), member, with) }
	}
	return append(list,
		one("a receipt without the path of the record", identity.Malformed, func(*scene) {}, missing(`"recordPath":`, `"record":`)),
		one("a receipt without the path of the status", identity.Malformed, func(*scene) {}, missing(`"statusPath":`, `"path":`)),
		one("a receipt without notes", identity.Malformed, func(*scene) {}, missing(`"notes":`, `"remarks":`)),
		one("a receipt without status", identity.Malformed, func(*scene) {}, missing(`"status":`, `"state":`)),
		one("a receipt with a member twice", identity.Malformed, func(s *scene) { s.doc = twiceHead }, nil),
		one("a receipt of an expired head", identity.Stale, func(s *scene) { s.v.Now = now + 90 }, nil),
		one("a receipt below the mark", identity.Rollback, func(s *scene) { s.n, s.from = 3, 4 }, nil),
		one("a receipt that withholds consistency", identity.Equivocation, since(2), func(_ *scene, r *discovery.Receipt) { r.Consistency = nil }),
		one("a receipt that is not in its log", identity.Equivocation, func(s *scene) {
			s.headLie = func(h *discovery.Head) { h.Notice = discovery.BrakeNotice }
		}, nil),
	)
}

// madeUp puts db-2 into a service that the map does not hold, where it is down.
func (s *scene) madeUp(r *discovery.Receipt) {
	svc := discovery.NewService(service, []discovery.Listed{{Record: s.nodes["db-2"], Status: discovery.Down, Since: second}})
	record, status, err := svc.Paths(0)
	check(err)
	sum := svc.Sum()
	r.Service = discovery.ReceiptService{Count: sum.Count, RecordsRoot: sum.RecordsRoot, StatusRoot: sum.StatusRoot}
	r.Index, r.RecordPath, r.Status, r.Since, r.StatusPath = 0, record, discovery.Down, second, status
}

func nodeAnswers() []vectors.Answer {
	one := func(name string, class identity.Code, change func(*scene, *discovery.NodeAnswer)) vectors.Answer {
		s := newScene()
		s.v.Kind = vectors.NodeKind
		id := s.nodes["db-2"].Node()
		s.v.Node = &id
		svc := s.reg.at(s.n).services[service]
		i, _ := svc.Index(id)
		cert := s.nodes["db-2"].Certificate()
		a := discovery.NodeAnswer{
			Receipt: s.receipt("db-2"), Records: []discovery.AnswerRecord{s.entry(svc.Records()[i])},
			Certificates: [][]byte{cert.Leaf().Raw}, Issuers: [][]byte{cert.Issuer().Raw},
		}
		if change != nil {
			change(s, &a)
		}
		s.v.Doc = string(encode(a))
		v := s.vector(name, class)
		if class == "" {
			v.Want = s.want()
			v.Want.Value, v.Want.Marks = nil, map[identity.NodeID]discovery.NodeMark{id: markOf(s.nodes["db-2"])}
			v.Want.Nodes, v.Want.Active = v.Want.Nodes[1:2], v.Want.Active[1:2]
		}
		return v
	}
	return []vectors.Answer{
		one("one node, with its receipt", "", nil),
		one("another node than asked for", identity.Binding, func(s *scene, _ *discovery.NodeAnswer) {
			id := s.nodes["db-1"].Node()
			s.v.Node = &id
		}),
		one("one node with a status unlike the receipt's", identity.Incomplete, func(_ *scene, a *discovery.NodeAnswer) { a.Records[0].Status = discovery.Down }),
		one("one node with since unlike the receipt's", identity.Incomplete, func(_ *scene, a *discovery.NodeAnswer) { a.Records[0].Since-- }),
		one("one node with another record than the receipt's", identity.Incomplete, func(s *scene, a *discovery.NodeAnswer) {
			older := must(identity.SignRecord(s.record(s.nodes["db-2"].Node(), func(r *identity.Record) { r.Epoch-- }), s.creds["db-2"], s.ca.Bundle()))
			a.Records[0].Record = older.Token()
		}),
		one("one node with two records", identity.Malformed, func(_ *scene, a *discovery.NodeAnswer) { a.Records = append(a.Records, a.Records[0]) }),
		one("one node without a record", identity.Malformed, func(_ *scene, a *discovery.NodeAnswer) { a.Records = []discovery.AnswerRecord{} }),
		one("one node with a member twice", identity.Malformed, func(s *scene, _ *discovery.NodeAnswer) { s.doc = twiceHead }),
		one("one node without a list of certificates", identity.Malformed, func(_ *scene, a *discovery.NodeAnswer) { a.Certificates = nil }),
		one("one node without a list of issuers", identity.Malformed, func(_ *scene, a *discovery.NodeAnswer) { a.Issuers = nil }),
		one("one node without its certificate", identity.BadCert, func(_ *scene, a *discovery.NodeAnswer) { a.Certificates = [][]byte{} }),
	}
}

func serviceLists() []vectors.Answer {
	one := func(name string, class identity.Code, prepare func(*scene), change func(*scene, *discovery.ServiceList)) vectors.Answer {
		s := newScene(prepare)
		s.v.Kind, s.v.Service = vectors.ServicesKind, ""
		l := discovery.ServiceList{Seal: s.reg.seal(s.n, s.from, s.iat, s.headLie), Services: s.rows()}
		if change != nil {
			change(s, &l)
		}
		if s.v.Doc == "" {
			s.v.Doc = string(encode(l))
		}
		v := s.vector(name, class)
		if class == "" {
			v.Want = s.want()
			v.Want.Found, v.Want.Value, v.Want.Marks = false, nil, nil
			v.Want.Services = s.rows()
		}
		return v
	}
	text := func(old, with string) func(*scene, *discovery.ServiceList) {
		return func(s *scene, l *discovery.ServiceList) { s.v.Doc = replace(string(encode(*l)), old, with) }
	}
	nothing := func(*scene) {}
	const incomplete = identity.Incomplete
	return []vectors.Answer{
		one("two services", "", nothing, nil),
		one("two services, from an earlier version", "", since(3), nil),
		one("no services", "", func(s *scene) { s.n = 1 }, nil),
		one("a service left out", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services = l.Services[1:] }),
		one("all services left out", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services = []discovery.ServiceRow{} }),
		one("a service too many", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) {
			l.Services = append(l.Services, discovery.ServiceRow{Service: "xyz", Count: 1})
		}),
		one("a service twice", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services = append(l.Services, l.Services[1]) }),
		one("services out of order", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) {
			l.Services[0], l.Services[1] = l.Services[1], l.Services[0]
		}),
		one("another count of a service", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services[0].Count++ }),
		one("another root of a service", incomplete, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services[0].StatusRoot = hashOf("root") }),
		one("a head that counts other services", incomplete, func(s *scene) { s.lie = func(h *discovery.Head) { h.Services = 3 } }, nil),
		one("a head that counts other records", incomplete, func(s *scene) { s.lie = func(h *discovery.Head) { h.Records = 6 } }, nil),
		one("a service with 20,001 records", identity.Limits, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services[0].Count = 20_001 }),
		one("a service without records", identity.Limits, nothing, func(_ *scene, l *discovery.ServiceList) { l.Services[0].Count = 0 }),
		one("a list of services with a member twice", identity.Malformed, func(s *scene) { s.doc = twiceHead }, nil),
		one("a service with an upper-case name", identity.Malformed, nothing, text(`"web"`, `"Web"`)),
		one("a row of three members", identity.Malformed, nothing, text(`["web",2,`, `[2,`)),
		one("a row of five members", identity.Malformed, nothing, text(`"]]}`, `",0]]}`)),
		one("a count as a fraction", identity.Malformed, nothing, text(`["web",2,`, `["web",2.5,`)),
		one("no list of services", identity.Malformed, nothing, text(`"services":`, `"offers":`)),
		one("a list of services of an expired head", identity.Stale, func(s *scene) { s.v.Now = now + 90 }, nil),
	}
}

func (s *scene) rows() []discovery.ServiceRow {
	rows := []discovery.ServiceRow{}
	for _, name := range []string{service, "web"} {
		if svc := s.reg.at(s.n).services[name]; svc != nil {
			rows = append(rows, discovery.ServiceRow(svc.Sum()))
		}
	}
	return rows
}

func heads() []vectors.Answer {
	one := func(name string, class identity.Code, prepare func(*scene), change func(*discovery.HeadDocument)) vectors.Answer {
		s := newScene(prepare)
		s.v.Kind, s.v.Service = vectors.HeadKind, ""
		d := discovery.HeadDocument{Seal: s.reg.seal(s.n, s.from, s.iat, s.headLie)}
		if change != nil {
			change(&d)
		}
		s.v.Doc = string(encode(d))
		v := s.vector(name, class)
		if class == "" {
			v.Want = s.want()
			v.Want.Found, v.Want.Value, v.Want.Marks = false, nil, nil
		}
		return v
	}
	nothing := func(*scene) {}
	return []vectors.Answer{
		one("a head by itself", "", nothing, nil),
		one("a head by itself, from an earlier version", "", since(1), nil),
		one("a head by itself, with a member twice", identity.Malformed, func(s *scene) { s.doc = twiceHead }, nil),
		one("a head by itself, without inclusion", identity.Malformed, nothing, func(d *discovery.HeadDocument) { d.Inclusion = nil }),
		one("a head by itself that withholds consistency", identity.Equivocation, since(1), func(d *discovery.HeadDocument) { d.Consistency = nil }),
	}
}

// twiceHead repeats a member of the outer JSON.
func twiceHead(doc string) string { return replace(doc, `{"head":`, `{"head":"","head":`) }
