package forge

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// good returns one vector: the answer of a scene, which proves what expect
// makes of an honest one.
func good(name string, prepare func(*scene), expect func(*scene, *vectors.AnswerWant)) vectors.Answer {
	s := newScene(func(s *scene) {
		if prepare != nil {
			prepare(s)
		}
	})
	v := s.vector(name, "")
	v.Want = s.want()
	if expect != nil {
		expect(s, v.Want)
	}
	return v
}

func goodAnswers() []vectors.Answer {
	return []vectors.Answer{
		good("three active nodes, at first contact", nil, nil),
		good("from an earlier version", since(2), nil),
		good("from version 1", since(1), nil),
		good("from the same version", since(4), nil),
		good("a node with an Ed25519 key beside others", func(s *scene) {
			id := s.ca.ID(service, "db-2")
			s.put(s.ca.IssueKey(id, testca.EdKey("db-2")), nil)
		}, nil),
		good("the registry was not asked directly", func(s *scene) { s.v.Peer = nil }, nil),
		good("no such service", func(s *scene) { s.v.Service = "billing" }, nil),
		good("no service at all", func(s *scene) { s.n, s.iat = 1, now }, nil),
		good("a head that is over by less than clocks may differ", func(s *scene) { s.v.Now = now + 30 + 59 }, func(_ *scene, w *vectors.AnswerWant) {
			for _, l := range []string{"db-1", "db-2", "db-3"} {
				unlike(w, l, "disputed", false, 20)
			}
		}),
		good("a head from the future by as much as clocks may differ", func(s *scene) { s.v.Now = now - 60 }, nil),
		good("the brake is on", func(s *scene) { s.lie = func(h *discovery.Head) { h.Notice = discovery.BrakeNotice } }, nil),
		good("unknown members", func(s *scene) {
			s.doc = func(d string) string { return replace(d, `{"head":`, `{"news":null,"head":`) }
		}, nil),
		good("a reader whose lists of revoked certificates differ from the head's", func(s *scene) { s.crls = [][]byte{s.ca.CRL(7)} }, nil),
		good("a node that was renewed under another issuer of the network", func(s *scene) {
			i := newIssuer(s.ca, s.ca.Root, rootKey())
			key := testca.Key("renewed")
			s.put(must(identity.NewCredential(key, i.leaf(s.ca, s.ca.ID(service, "db-2"), key.Public()), i.cert)), nil)
		}, nil),
		good("a suspect node that lives", func(s *scene) { s.statuses["db-2"] = discovery.Suspect }, nil),
		good("a mark of the node's very state", func(s *scene) { s.remember("db-1", func(*discovery.NodeMark) {}) }, nil),
		good("a mark with a later iat, which it keeps", func(s *scene) {
			s.remember("db-1", func(m *discovery.NodeMark) { m.IAT++ })
		}, func(s *scene, w *vectors.AnswerWant) {
			id := s.nodes["db-1"].Node()
			m := w.Marks[id]
			m.IAT++
			w.Marks[id] = m
		}),
		good("a mark of the node's earlier state", func(s *scene) {
			s.remember("db-1", func(m *discovery.NodeMark) { m.Epoch--; m.Sequence = 99; m.RID = hashOf("earlier") })
		}, nil),
	}
}

// partAnswers stand, though not every node in them counts.
func partAnswers() []vectors.Answer {
	drop := func(name string, code identity.Code, prepare func(*scene)) vectors.Answer {
		return good(name, prepare, func(s *scene, w *vectors.AnswerWant) {
			without(w, "db-2", code)
			s.marked(w, "db-2", code)
		})
	}
	idle := func(name, reason string, live bool, k int64, prepare func(*scene)) vectors.Answer {
		return good(name, prepare, func(_ *scene, w *vectors.AnswerWant) { unlike(w, "db-2", reason, live, k) })
	}
	late := func(raw string) func(*scene) {
		return func(s *scene) {
			s.beats["db-2"] = 0
			s.spoil = func(a *discovery.Answer) { a.Records[1].Heartbeat = json.RawMessage(raw) }
		}
	}
	forged := string(encode(identity.Beat{K: 20, Token: hashOf("forged")}))
	return []vectors.Answer{
		drop("a record that is over", identity.BadTime, func(s *scene) {
			s.put(s.creds["db-2"], func(r *identity.Record) { r.Exp = now - 59 })
		}),
		drop("a record from the future", identity.BadTime, func(s *scene) {
			s.put(s.creds["db-2"], func(r *identity.Record) { r.IAT = now + 62 })
			s.beats["db-2"] = 0
		}),
		drop("a certificate that is over", identity.BadTime, func(s *scene) {
			cred := s.ca.Issue(s.ca.ID(service, "db-2"), func(c *x509.Certificate) { c.NotAfter = at(now - 60) })
			s.put(cred, func(r *identity.Record) { r.Exp = now - 60 })
		}),
		drop("an issuer that is over", identity.BadTime, func(s *scene) {
			i := newIssuer(s.ca, s.ca.Root, rootKey(), func(c *x509.Certificate) { c.NotAfter = at(now).Add(-2 * time.Minute) })
			key := testca.Key("under an old issuer")
			s.put(must(identity.NewCredential(key, i.leaf(s.ca, s.ca.ID(service, "db-2"), key.Public()), i.cert)), nil)
		}),
		drop("a revoked certificate", identity.Revoked, func(s *scene) {
			s.crls = [][]byte{s.ca.CRL(1, s.creds["db-2"].Leaf())}
		}),
		drop("a record below the reader's mark of the node: sequence", identity.Rollback, func(s *scene) {
			s.remember("db-2", func(m *discovery.NodeMark) { m.Sequence++ })
		}),
		drop("a record below the reader's mark of the node: epoch", identity.Rollback, func(s *scene) {
			s.remember("db-2", func(m *discovery.NodeMark) { m.Epoch++; m.Sequence = 0 })
		}),
		drop("a node that signed two records for one place, the greater one now", identity.Equivocation, func(s *scene) {
			s.remember("db-2", func(m *discovery.NodeMark) { m.RID = identity.Hash{31: 1} })
		}),
		drop("a node that signed two records for one place, the greater one before", identity.Equivocation, func(s *scene) {
			s.remember("db-2", func(m *discovery.NodeMark) { m.RID = identity.Hash(bytes.Repeat([]byte{0xff}, 32)) })
		}),
		drop("a node that was seen to sign two records for the place", identity.Equivocation, func(s *scene) {
			s.remember("db-2", func(m *discovery.NodeMark) { m.Equivocated = true })
		}),
		idle("up, says the registry, without a token", "disputed", false, 0, func(s *scene) { s.beats["db-2"] = 0 }),
		idle("up, says the registry, with an old token", "disputed", false, 14, func(s *scene) { s.beats["db-2"] = 14 }),
		idle("a forged token", "disputed", false, 0, late(forged)),
		idle("a token of another node", "disputed", false, 0, func(s *scene) {
			late(string(encode(s.beat("db-1", 20))))(s)
		}),
		idle("a token from the future", "disputed", false, 0, func(s *scene) { s.beats["db-2"] = 25 }),
		idle("a heartbeat of another form", "disputed", false, 0, late(`"20"`)),
		idle("a heartbeat with a short token", "disputed", false, 0, late(`{"k":20,"token":"A"}`)),
		idle("a heartbeat that is null", "disputed", false, 0, late(`null`)),
		idle("a node that is down", "down", true, 20, func(s *scene) { s.statuses["db-2"] = discovery.Down }),
		idle("a node that is down and silent", "down", false, 0, func(s *scene) { s.statuses["db-2"] = discovery.Down; s.beats["db-2"] = 0 }),
		idle("a suspect node that is silent", "not-live", false, 0, func(s *scene) { s.statuses["db-2"] = discovery.Suspect; s.beats["db-2"] = 0 }),
		idle("a node that is draining", "draining", true, 20, func(s *scene) {
			s.put(s.creds["db-2"], func(r *identity.Record) { r.State = identity.Draining })
		}),
	}
}

// movedAnswers are those of which the reader's mark has moved since it asked.
func movedAnswers() []vectors.Answer {
	moved := func(name string, class identity.Code, prepare func(*scene), how func(*scene, *vectors.Answer)) vectors.Answer {
		s := newScene(prepare)
		v := s.vector(name, class)
		how(s, &v)
		if class == "" {
			v.Want = s.want()
			if v.Want.Overtaken = v.Moved.Mark.Version > s.n; v.Want.Overtaken {
				v.Want.Marks = nil // they are taken from the answer that is asked for again
			}
		}
		return v
	}
	at3 := func(s *scene) { s.n, s.from = 3, 2 }
	return []vectors.Answer{
		moved("overtaken: the mark has moved past the answer, and a proof links the two", "", at3, func(s *scene, v *vectors.Answer) {
			v.Moved = &vectors.Moved{Mark: s.reg.mark(4), Proof: s.reg.consistency(3, 4)}
		}),
		moved("the mark has moved, but not as far as the answer", "", since(2), func(s *scene, v *vectors.Answer) {
			v.Moved = &vectors.Moved{Mark: s.reg.mark(3), Proof: s.reg.consistency(3, 4)}
		}),
		moved("the mark has moved to the version of the answer", "", since(2), func(s *scene, v *vectors.Answer) {
			v.Moved = &vectors.Moved{Mark: s.reg.mark(4)}
		}),
		moved("the mark has moved to another history of the same version", identity.Equivocation, since(2), func(s *scene, v *vectors.Answer) {
			v.Moved = &vectors.Moved{Mark: s.other().mark(4)}
		}),
		moved("the mark has moved to a later version of another history", identity.Equivocation, at3, func(s *scene, v *vectors.Answer) {
			o := s.other()
			v.Moved = &vectors.Moved{Mark: o.mark(4), Proof: o.consistency(3, 4)}
		}),
		moved("the mark has moved to an earlier version of another history", identity.Equivocation, since(2), func(s *scene, v *vectors.Answer) {
			v.Moved = &vectors.Moved{Mark: s.other().mark(3), Proof: s.reg.consistency(3, 4)}
		}),
	}
}
