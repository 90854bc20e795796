package forge

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// other returns a registry of the same identity with another past: the same
// versions, the second made a second later.
func (s *scene) other() *registry {
	rewritten := newRegistry(s.ca, "r1")
	rewritten.signing = s.reg.signing
	for i, v := range s.reg.versions {
		var services []*discovery.Service
		for _, svc := range v.services {
			services = append(services, svc)
		}
		made := v.head.Made
		if i == 1 {
			made++
		}
		rewritten.commit(made, must(discovery.ParseChanges(v.changes)), nil, services...)
	}
	return rewritten
}

// doc changes the outer JSON.
func doc(old, with string) func(*scene) {
	return func(s *scene) { s.doc = func(d string) string { return replace(d, old, with) } }
}

// sent changes the answer before it is encoded.
func sent(change func(*discovery.Answer)) func(*scene) {
	return func(s *scene) { s.spoil = change }
}

func badDocuments() []vectors.Answer {
	list := badAnswers(identity.Malformed, []spoilt{
		{"a member of the outer JSON twice", doc(`"issuers":`, `"issuers":[],"issuers":`)},
		{"a member of the outer JSON twice, in two cases", doc(`"issuers":`, `"Issuers":[],"issuers":`)},
		{"a member twice inside a record", func(s *scene) {
			s.doc = func(d string) string { return strings.Replace(d, `"since":`, `"since":0,"since":`, 1) }
		}},
		{"trailing data after the outer JSON", func(s *scene) { s.doc = func(d string) string { return d + "{}" } }},
		{"half of the outer JSON", func(s *scene) { s.doc = func(d string) string { return d[:len(d)/2] } }},
		{"no JSON", func(s *scene) { s.doc = func(string) string { return "<html>" } }},
		{"no list of records", doc(`"records":`, `"plates":`)},
		{"null for the list of records of an absent service", func(s *scene) {
			s.v.Service = "billing"
			doc(`"records":[]`, `"records":null`)(s)
		}},
		{"no list of certificates", doc(`"certificates":`, `"papers":`)},
		{"no list of issuers", doc(`"issuers":`, `"bosses":`)},
		{"no inclusion", doc(`"inclusion":`, `"exclusion":`)},
		{"no certificates of the registry", doc(`"registry":`, `"directory":`)},
		{"no proof", doc(`"proof":{`, `"prove":{`)},
		{"no proof of an empty map", func(s *scene) { s.n = 1; doc(`"proof":{`, `"prove":{`)(s) }},
		{"no siblings", doc(`"siblings":`, `"brothers":`)},
		{"a hash of 42 characters in the inclusion", doc(`"inclusion":["`, `"inclusion":["A`)},
		{"a hash that is null in the inclusion", doc(`"inclusion":[`, `"inclusion":[null,`)},
		{"an unknown status", func(s *scene) {
			s.statuses["db-2"] = discovery.Down
			doc(`"status":"down"`, `"status":"dead"`)(s)
		}},
		{"a status as a number", func(s *scene) {
			s.statuses["db-2"] = discovery.Down
			doc(`"status":"down"`, `"status":3`)(s)
		}},
		{"no status", func(s *scene) {
			s.statuses["db-2"] = discovery.Down
			doc(`"status":"down",`, ``)(s)
		}},
		{"consistency from another version", func(s *scene) {
			s.from = 3
			s.spoil = func(a *discovery.Answer) {
				a.Consistency = &discovery.Consistency{From: 2, Proof: s.reg.consistency(2, 4)}
			}
		}},
		{"consistency that nobody asked for", func(s *scene) {
			s.spoil = func(a *discovery.Answer) {
				a.Consistency = &discovery.Consistency{From: 2, Proof: s.reg.consistency(2, 4)}
			}
		}},
		{"consistency without proof", func(s *scene) {
			s.from = 3
			s.spoil = func(a *discovery.Answer) { a.Consistency.Proof = nil }
		}},
	})
	return append(list, badAnswers(identity.Limits, []spoilt{
		{"20,001 records", func(s *scene) {
			many := strings.Repeat("{},", 20_000) + "{}"
			s.v.Gzip = compress([]byte(`{"head":"","registry":[],"inclusion":[],"proof":{"siblings":[],"key":"","value":""},"records":[` + many + `],"certificates":[],"issuers":[]}`))
		}},
		{"a path of 300", sent(func(a *discovery.Answer) { a.Proof.Siblings = make([][32]byte, 300) })},
		{"an inclusion of 65 hashes", sent(func(a *discovery.Answer) { a.Inclusion = make([]identity.Hash, 65) })},
		{"a consistency of 65 hashes", func(s *scene) {
			s.from = 3
			s.spoil = func(a *discovery.Answer) { a.Consistency.Proof = make([]identity.Hash, 65) }
		}},
		{"a gzip bomb of 33 MiB", func(s *scene) { s.v.Gzip = compress(bytes.Repeat([]byte(" "), 33<<20)) }},
		{"a head of 9,000 bytes", sent(func(a *discovery.Answer) { a.Head += strings.Repeat("A", 9000) })},
	})...)
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	w := must(gzip.NewWriterLevel(&out, gzip.BestCompression))
	must(w.Write(b))
	check(w.Close())
	return out.Bytes()
}

// signer replaces the registry's signing credential.
func signer(change func(s *scene) *identity.Credential) func(*scene) {
	return func(s *scene) { s.reg.signing = change(s) }
}

func badSealers() []vectors.Answer {
	list := badAnswers(identity.BadCert, []spoilt{
		{"a head signed by a service node", signer(func(s *scene) *identity.Credential { return s.creds["db-1"] })},
		{"a head signed with the registry's TLS certificate", signer(func(s *scene) *identity.Credential { return s.ca.Issue(s.reg.id) })},
		{"a signing certificate made by the node issuer", signer(func(s *scene) *identity.Credential {
			key := testca.Key("signing")
			leaf := leafTemplate(s.ca, s.reg.id, key.Public(), signingProfile)
			return must(identity.NewCredential(key, nodeIssuer(s.ca).sign(leaf, key.Public()), s.ca.NodeIssuer))
		})},
		{"a signing certificate that may serve as well", signer(func(s *scene) *identity.Credential {
			return s.ca.IssueSigning(s.reg.id, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		})},
		{"a signing certificate for a service node", signer(func(s *scene) *identity.Credential { return s.ca.IssueSigning(s.ca.ID(service, "db-1")) })},
		{"another root with the same names", signer(func(s *scene) *identity.Credential {
			return testca.New(network, "another", issued()).IssueSigning(s.reg.id)
		})},
		{"an empty chain", sent(func(a *discovery.Answer) { a.Registry = [][]byte{} })},
		{"a chain of the leaf alone", sent(func(a *discovery.Answer) { a.Registry = a.Registry[:1] })},
		{"a chain with the root", func(s *scene) {
			s.spoil = func(a *discovery.Answer) { a.Registry = append(a.Registry, s.ca.Root.Raw) }
		}},
		{"a chain that is no certificate", sent(func(a *discovery.Answer) { a.Registry[0] = []byte("no certificate") })},
		{"an expired signing certificate", signer(func(s *scene) *identity.Credential {
			return s.ca.IssueSigning(s.reg.id, func(c *x509.Certificate) { c.NotAfter = at(now).Add(-time.Minute) })
		})},
		{"a signing certificate that is not valid yet", signer(func(s *scene) *identity.Credential {
			return s.ca.IssueSigning(s.reg.id, func(c *x509.Certificate) { c.NotBefore = at(now).Add(62 * time.Second) })
		})},
		{"a head that another certificate of the registry signed", func(s *scene) {
			s.spoil = func(a *discovery.Answer) { a.Registry[0] = s.ca.IssueSigning(s.reg.id).Leaf().Raw }
		}},
	})
	list = append(list, badAnswers(identity.Revoked, []spoilt{
		{"a revoked signing certificate", func(s *scene) {
			s.crls = [][]byte{crl(s.ca.RegistryIssuer, registryKey(), s.reg.signing.Leaf())}
		}},
		{"a revoked registry issuer", func(s *scene) { s.crls = [][]byte{crl(s.ca.Root, rootKey(), s.ca.RegistryIssuer)} }},
	})...)
	return append(list, badAnswers(identity.Binding, []spoilt{
		{"a head of another registry than the one that was asked", func(s *scene) {
			r2 := s.ca.ID("registry", "r2")
			s.v.Peer, s.v.Registries = &r2, append(s.v.Registries, r2)
		}},
		{"a registry that is not on the reader's list", func(s *scene) { s.v.Registries = []identity.NodeID{s.ca.ID("registry", "r2")} }},
		{"a head that speaks for another registry than its signer", func(s *scene) {
			r2 := s.ca.ID("registry", "r2")
			s.v.Registries = append(s.v.Registries, r2)
			s.lie = func(h *discovery.Head) { h.Registry = r2 }
		}},
	})...)
}

func signingProfile(c *x509.Certificate) {
	c.ExtKeyUsage, c.DNSNames = nil, nil
	c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, oidRegistry())
}

// headText signs a head of which the text was changed.
func headText(old, with string) func(*scene) {
	return func(s *scene) {
		s.spoil = func(a *discovery.Answer) {
			p := newPen(identity.HeadTyp, keyOf(s.reg.signing), s.reg.signing.Leaf())
			payload := must(base64.RawURLEncoding.DecodeString(strings.Split(a.Head, ".")[1]))
			a.Head = p.write([]byte(replace(string(payload), old, with)))
		}
	}
}

func headToken(change func(string) string) func(*scene) {
	return sent(func(a *discovery.Answer) { a.Head = change(a.Head) })
}

func badHeads() []vectors.Answer {
	list := badAnswers(identity.BadHeader, []spoilt{
		{"a record passed off as head", func(s *scene) {
			s.spoil = func(a *discovery.Answer) { a.Head = s.nodes["db-1"].Token() }
		}},
		{"a head passed off as a record", sent(func(a *discovery.Answer) { a.Records[0].Record = a.Head })},
		{"a tombstone passed off as a record", func(s *scene) {
			s.spoil = func(a *discovery.Answer) {
				a.Records[0].Record = must(identity.SignTombstone(identity.TombstoneFor(s.nodes["db-1"], identity.NID(s.ca.Root), now), s.creds["db-1"], s.ca.Bundle())).Token()
			}
		}},
		{"a head with alg none", headToken(func(t string) string {
			p := strings.Split(t, ".")
			h := string(must(base64.RawURLEncoding.DecodeString(p[0])))
			return b64u([]byte(replace(h, `"ES256"`, `"none"`))) + "." + p[1] + "."
		})},
	})
	list = append(list, badAnswers(identity.BadSignature, []spoilt{
		{"a flipped bit in the head's signature", headToken(resign(func(b []byte) []byte { b[5] ^= 4; return b }))},
		{"a head that was changed after signing", headToken(func(t string) string {
			p := strings.Split(t, ".")
			payload := string(must(base64.RawURLEncoding.DecodeString(p[1])))
			return p[0] + "." + b64u([]byte(replace(payload, `"notice":""`, `"notice":"brake"`))) + "." + p[2]
		})},
		{"a record of which the address was altered", sent(func(a *discovery.Answer) {
			p := strings.Split(a.Records[0].Record, ".")
			payload := string(must(base64.RawURLEncoding.DecodeString(p[1])))
			a.Records[0].Record = p[0] + "." + b64u([]byte(replace(payload, `"10.0.0.1"`, `"10.6.6.6"`))) + "." + p[2]
		})},
	})...)
	list = append(list, badAnswers(identity.Malformed, []spoilt{
		{"a head with an unknown member", headText(`"v":1,`, `"u":1,"v":1,`)},
		{"a head without a member", headText(`"notice":"",`, ``)},
		{"a head with v = 2", headText(`"v":1,`, `"v":2,`)},
		{"a head with an unknown notice", headText(`"notice":""`, `"notice":"hello"`)},
		{"a head of two parts", headToken(func(t string) string { return t[:strings.LastIndexByte(t, '.')] })},
		{"no head", headToken(func(string) string { return "" })},
	})...)
	list = append(list, badAnswers(identity.WrongNetwork, []spoilt{
		{"a head of another network", func(s *scene) { s.lie = func(h *discovery.Head) { h.Network = "development" } }},
		{"a head of another nid", func(s *scene) { s.lie = func(h *discovery.Head) { h.NID = hashOf("another root") } }},
	})...)
	list = append(list, badAnswers(identity.Limits, []spoilt{
		{"a head of version 0", headText(`"version":4`, `"version":0`)},
	})...)
	list = append(list, badAnswers(identity.Stale, []spoilt{
		{"an expired head", func(s *scene) { s.v.Now = now + 90 }},
		{"a head of yesterday", func(s *scene) {
			s.v.Now = now + 3*hour
		}},
	})...)
	return append(list, badAnswers(identity.BadTime, []spoilt{
		{"a head from the future", func(s *scene) { s.v.Now = now - 61 }},
		{"a head with a life of an hour", func(s *scene) { s.headLie = func(h *discovery.Head) { h.Exp = h.IAT + hour } }},
		{"a head with a life of 29 s", func(s *scene) { s.headLie = func(h *discovery.Head) { h.Exp = h.IAT + 29 } }},
		{"a head with exp before iat", func(s *scene) { s.headLie = func(h *discovery.Head) { h.Exp = h.IAT - 1 } }},
		{"a head signed before its version was made", func(s *scene) { s.iat = third - 1 }},
		{"a version made before that of the mark", func(s *scene) {
			s.from = 3
			s.lie = func(h *discovery.Head) { h.Made = second - 1 }
		}},
	})...)
}

func badLogs() []vectors.Answer {
	rewritten := func(from int64) func(*scene) {
		return func(s *scene) {
			s.from = from
			s.doc = func(string) string {
				honest := s.reg
				s.reg = s.other()
				defer func() { s.reg = honest }()
				return string(encode(s.answer()))
			}
		}
	}
	list := badAnswers(identity.Rollback, []spoilt{
		{"a version below the one sent as from", func(s *scene) { s.n, s.from = 3, 4 }},
		{"an absence at a version below the one sent as from", func(s *scene) { s.n, s.from, s.v.Service = 3, 4, "billing" }},
		{"a version below the one seen through another service", func(s *scene) { s.n, s.from, s.v.Service = 2, 3, "web"; s.beats["web-1"] = 20 }},
	})
	return append(list, badAnswers(identity.Equivocation, []spoilt{
		{"the same version with another log", rewritten(4)},
		{"the same version with another root", func(s *scene) {
			s.from = 4
			s.v.Mark = &identity.RegistryMark{}
			s.spoil = func(*discovery.Answer) {
				*s.v.Mark = s.reg.mark(4)
				s.v.Mark.Root = hashOf("another root")
			}
		}},
		{"a rewritten log", rewritten(3)},
		{"a rewritten log with the honest consistency proof", func(s *scene) {
			rewritten(3)(s)
			lie := s.doc
			s.doc = func(d string) string {
				text := lie(d)
				forged, honest := encode(s.other().consistency(3, 4)), encode(s.reg.consistency(3, 4))
				if bytes.Equal(forged, honest) {
					return text
				}
				return replace(text, `"proof":`+string(forged), `"proof":`+string(honest))
			}
		}},
		{"consistency withheld", func(s *scene) {
			s.from = 3
			s.spoil = func(a *discovery.Answer) { a.Consistency = nil }
		}},
		{"an empty consistency proof", func(s *scene) {
			s.from = 3
			s.spoil = func(a *discovery.Answer) { a.Consistency.Proof = []identity.Hash{} }
		}},
		{"a head that is not in its log", func(s *scene) {
			s.headLie = func(h *discovery.Head) { h.Notice = discovery.BrakeNotice }
		}},
		{"the inclusion of another version", func(s *scene) {
			s.spoil = func(a *discovery.Answer) { a.Inclusion = texts(must(s.reg.log.Inclusion(4, 2))) }
		}},
		{"an inclusion cut short", sent(func(a *discovery.Answer) { a.Inclusion = a.Inclusion[:1] })},
		{"an empty inclusion", sent(func(a *discovery.Answer) { a.Inclusion = []identity.Hash{} })},
	})...)
}

// absent lets the registry lie in a head that is asked for a service which
// there is not.
func absent(lie func(*discovery.Head)) func(*scene) {
	return func(s *scene) { s.v.Service, s.lie = "billing", lie }
}

// emptied is the same with the proof for the empty map.
func emptied(lie func(*discovery.Head)) func(*scene) {
	return func(s *scene) {
		absent(lie)(s)
		s.spoil = func(a *discovery.Answer) { a.Proof = s.reg.proof(1, "billing") }
	}
}

func badLists() []vectors.Answer {
	records := func(name string, change func([]discovery.AnswerRecord) []discovery.AnswerRecord) spoilt {
		return spoilt{name, sent(func(a *discovery.Answer) { a.Records = change(a.Records) })}
	}
	proof := func(name string, change func(*scene, *discovery.Answer)) spoilt {
		return spoilt{name, func(s *scene) { s.spoil = func(a *discovery.Answer) { change(s, a) } }}
	}
	type rs = []discovery.AnswerRecord
	return badAnswers(identity.Incomplete, []spoilt{
		records("one record left out", func(r rs) rs { return append(r[:1], r[2:]...) }),
		records("all records left out", func(rs) rs { return rs{} }),
		records("a record twice", func(r rs) rs { return append(r, r[2]) }),
		records("a record in place of another", func(r rs) rs { return rs{r[0], r[1], r[1]} }),
		records("records in another order", func(r rs) rs { return rs{r[1], r[0], r[2]} }),
		records("a status flipped", func(r rs) rs { r[1].Status = discovery.Down; return r }),
		records("a since changed", func(r rs) rs { r[1].Since--; return r }),
		proof("a record that is not listed", func(s *scene, a *discovery.Answer) {
			extra := must(identity.SignRecord(s.record(s.ca.ID(service, "db-4"), nil), s.ca.Issue(s.ca.ID(service, "db-4")), s.ca.Bundle()))
			a.Records = append(a.Records, s.entry(discovery.Listed{Record: extra, Status: discovery.Up, Since: second}))
			a.Certificates = append(a.Certificates, extra.Certificate().Leaf().Raw)
		}),
		proof("an older record of a node in place of the listed one", func(s *scene, a *discovery.Answer) {
			older := must(identity.SignRecord(s.record(s.ca.ID(service, "db-2"), func(r *identity.Record) { r.Epoch-- }), s.creds["db-2"], s.ca.Bundle()))
			a.Records[1].Record = older.Token()
		}),
		proof("absence proven for another key", func(s *scene, a *discovery.Answer) { a.Proof, a.Records = s.reg.proof(4, "billing"), rs{} }),
		proof("an empty path", func(_ *scene, a *discovery.Answer) { a.Proof.Siblings = [][32]byte{} }),
		proof("a truncated path", func(_ *scene, a *discovery.Answer) { a.Proof.Siblings = a.Proof.Siblings[:len(a.Proof.Siblings)-1] }),
		proof("an extended path", func(_ *scene, a *discovery.Answer) { a.Proof.Siblings = append(a.Proof.Siblings, [32]byte{}) }),
		proof("another service's value", func(s *scene, a *discovery.Answer) { a.Proof.Value = s.reg.proof(4, "web").Value }),
		proof("another service's proof", func(s *scene, a *discovery.Answer) { a.Proof = s.reg.proof(4, "web") }),
		proof("the value of an earlier version", func(s *scene, a *discovery.Answer) { a.Proof = s.reg.proof(2, service) }),
		{"presence claimed falsely", func(s *scene) {
			s.v.Service = "billing"
			s.spoil = func(a *discovery.Answer) {
				a.Proof.Key, a.Proof.Value = new([32]byte(discovery.ServiceKey(identity.NID(s.ca.Root), "billing"))), new([32]byte(hashOf("value")))
			}
		}},
		{"records together with an absence proof", func(s *scene) {
			s.lie = func(h *discovery.Head) { *h = withoutService(s, *h) }
			s.spoil = func(a *discovery.Answer) {
				a.Proof = webOnly(s).Prove(discovery.ServiceKey(identity.NID(s.ca.Root), service))
			}
		}},
		{"a status since a time after the version was made", func(s *scene) {
			s.lie = func(h *discovery.Head) { h.Made = second - 1 }
		}},
		{"more records than the head counts", func(s *scene) { s.lie = func(h *discovery.Head) { h.Records = 2 } }},
		{"a head of services without records", absent(func(h *discovery.Head) { h.Records = 0 })},
		{"a head of more services than records", absent(func(h *discovery.Head) { h.Services = 6 })},
		{"a head of an empty map with a root", absent(func(h *discovery.Head) { h.Services, h.Records = 0, 0 })},
		{"a head of services without a root", emptied(func(h *discovery.Head) { h.Root = identity.Hash{} })},
		{"a head of records without services", emptied(func(h *discovery.Head) { h.Root, h.Services = identity.Hash{}, 0 })},
		{"a node that is listed twice", func(s *scene) { s.twice = true }},
	})
}
