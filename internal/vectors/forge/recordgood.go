package forge

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

func goodRecords() []vectors.Record {
	var list []vectors.Record
	for _, r := range []row{
		{"a service node's record, signed with ES256", nil},
		{"a service node's record, signed with Ed25519", func(c *claim) {
			c.sign(c.ca.IssueKey(c.id, testca.EdKey("db-1")))
		}},
		{"a registry's own record, signed with its TLS certificate", as("registry", "r1")},
		{"the other form (r, n-s) of an ECDSA signature, which leaves the record id as it is", token(resign(otherForm))},
		{"a record with everything at its limits", then(leaf(func(x *x509.Certificate) { x.NotAfter = at(now + day) }), record(fullRecord))},
		{"a record without metadata, draining, for one second", record(func(r *identity.Record) {
			r.Metadata, r.State, r.Exp = map[string]string{}, identity.Draining, r.IAT+1
			r.Heartbeat.Count, r.Heartbeat.Interval = 1, 1
		}).when(now)},
		{"text of any language, with the two escapes that there are", record(func(r *identity.Record) {
			r.Metadata["description"] = "<db> & \"copy\" \\ größe 数据库 🗄"
		})},
		{"IPv6 and DNS addresses", record(func(r *identity.Record) {
			r.Endpoints = []identity.Endpoint{
				{Address: "2001:db8::1", Name: "v6", Port: 1, Protocol: "tcp"},
				{Address: "db-1.example.org", Name: "dns", Port: 65535, Protocol: "udp"},
				{Address: "localhost", Name: "local", Port: 80, Protocol: "tcp"},
			}
		})},
		{"signed as far in the future as clocks may differ", record(func(r *identity.Record) { r.IAT, r.Exp = now+61, now+61+hour })},
		{"an epoch as far after iat as clocks may differ", then(record(func(r *identity.Record) { r.Epoch = now + 60 }))},
		{"the next sequence of an epoch", then(known(nil), record(func(r *identity.Record) { r.Sequence = 2 }))},
		{"the same record again", known(nil)},
		{"a greater epoch with a smaller sequence", then(known(func(r *identity.Record) { r.Sequence, r.Epoch = 9, now-1 }))},
		{"a later record with an earlier iat, which verifiers do not mind", then(known(nil), record(func(r *identity.Record) { r.Sequence, r.IAT, r.Exp = 2, now-30, now+hour }))},
		{"a node's tombstone", then(known(nil), tombstone(nil))},
		{"a node's tombstone where nothing is known of the node", tombstone(nil)},
		{"an operator's tombstone for a service node", then(known(nil), operator(nil))},
		{"an operator's tombstone for a registry", func(c *claim) {
			c.id = c.ca.ID("registry", "r1")
			operator(nil)(c)
		}},
		{"a record of the epoch after the one that an operator removed", then(removed, record(func(r *identity.Record) { r.Epoch = now + 1 }))},
	} {
		c := newClaim(func(c *claim) {
			if r.edit != nil {
				r.edit(c)
			}
		})
		v := c.vector(r.name, "")
		v.Want = c.want(v.Token)
		list = append(list, v)
	}
	return list
}

// fullRecord has as much of everything as a record may.
func fullRecord(r *identity.Record) {
	r.Endpoints = nil
	for i := range 8 {
		label := strings.Repeat("x", 62) + fmt.Sprint(i)
		r.Endpoints = append(r.Endpoints, identity.Endpoint{Address: strings.Repeat("a.", 126) + "b", Name: label, Port: 65535, Protocol: "tcp"})
	}
	r.Check = identity.Check{Interval: 3600, Path: "/" + strings.Repeat("~", 255), Type: identity.CheckHTTPS}
	r.Exp = r.IAT + day
	r.Heartbeat.Count, r.Heartbeat.Interval = 8640, 10
	r.Sequence = identity.MaxSequence
	r.Metadata = map[string]string{strings.Repeat("k", 63): strings.Repeat("v", 1024)}
	for i := range 31 {
		r.Metadata[fmt.Sprintf("k%02d", i)] = strings.Repeat("v", 8)
	}
}

// want reads what the payload says with nothing but encoding/json.
func (c *claim) want(token string) *vectors.RecordWant {
	var said struct {
		Node, Service             string
		Epoch, Sequence, IAT, Exp int64
	}
	check(json.Unmarshal(c.payload, &said))
	return &vectors.RecordWant{
		RID: hashOf(token[:strings.LastIndexByte(token, '.')]), Typ: c.typ, Node: must(identity.ParseNodeID(said.Node)), Service: said.Service,
		Epoch: said.Epoch, Sequence: said.Sequence, IAT: said.IAT, Exp: said.Exp, Operator: c.operator,
	}
}

// removed is the state of a node whose epoch an operator ended.
func removed(c *claim) {
	t := newTombstone(c.ca, c.id)
	t.Sequence = identity.OperatorSequence
	c.state = must(identity.SignTombstone(t, c.ca.Issue(c.ca.ID("operator", "olga")), c.ca.Bundle()))
}
