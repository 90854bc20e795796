package forge

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// A claim is a statement on its way to a registry: all that goes into one
// vector, before it is signed.
type claim struct {
	ca           *testca.Authority
	id           identity.NodeID // of whom it speaks
	key          crypto.Signer
	leaf, issuer *x509.Certificate // shown in the TLS handshake
	named        *x509.Certificate // whose thumbprint the header has
	typ          identity.Typ
	payload      []byte
	header       func(string) string
	token        func(string) string
	now          int64
	crls         [][]byte
	state        *identity.Statement
	operator     bool
}

// An edit spoils a claim.
type edit func(*claim)

// when lets the claim arrive at t.
func (e edit) when(t int64) edit {
	return func(c *claim) {
		e(c)
		c.now = t
	}
}

// newClaim returns the good record of a service node.
func newClaim(edits ...edit) *claim {
	ca := newCA()
	c := &claim{ca: ca, typ: identity.RecordTyp, now: now + 1}
	c.sign(ca.Issue(ca.ID(service, "db-1")))
	c.id = ca.ID(service, "db-1")
	c.payload = encode(newRecord(ca, c.id))
	for _, e := range edits {
		e(c)
	}
	return c
}

// newRecord returns what a node says, ready to be signed at now.
func newRecord(ca *testca.Authority, id identity.NodeID) identity.Record {
	return newRecordOf(ca, id, newChain(id, chainLength), chainLength)
}

// newRecordOf is newRecord with another chain of heartbeats.
func newRecordOf(ca *testca.Authority, id identity.NodeID, chain *identity.Chain, count int64) identity.Record {
	return identity.Record{
		Aud:       identity.Audience(identity.NID(ca.Root)),
		Check:     identity.Check{Interval: 10, Path: "", Type: identity.CheckTCP},
		Endpoints: []identity.Endpoint{{Address: "10.0.0.1", Name: "default", Port: 5432, Protocol: "tcp"}},
		Epoch:     now, Exp: now + 6*hour, IAT: now, Sequence: 1,
		Heartbeat: identity.Heartbeat{Anchor: chain.Anchor(), Count: count, Interval: 15},
		Metadata:  map[string]string{"name": "Database", "zone": "a"},
		Network:   network, Node: id, Service: id.Service(), State: identity.Active, V: 1,
	}
}

// chainLength is how many heartbeats of 15 s last for a record of six hours.
const chainLength = 1440

func newChain(id identity.NodeID, count int) *identity.Chain {
	return must(identity.ChainFromSeed(id, count, sha256.Sum256([]byte("chain of "+id.String()))))
}

// newTombstone returns what ends the record that newRecord returns.
func newTombstone(ca *testca.Authority, id identity.NodeID) identity.Tombstone {
	return identity.Tombstone{
		Aud: identity.Audience(identity.NID(ca.Root)), Epoch: now, Exp: now + day + 120, IAT: now,
		Network: network, Node: id, Sequence: 2, Service: id.Service(), V: 1,
	}
}

func (c *claim) sign(cred *identity.Credential) {
	c.key, c.leaf, c.issuer = keyOf(cred), cred.Leaf(), cred.Issuer()
}

func (c *claim) vector(name string, class identity.Code) vectors.Record {
	named := c.leaf
	if c.named != nil {
		named = c.named
	}
	p := newPen(c.typ, c.key, named)
	if c.header != nil {
		p.header = c.header(p.header)
	}
	token := p.write(c.payload)
	if c.token != nil {
		token = c.token(token)
	}
	v := vectors.Record{
		Case: vectors.Case{Name: name, Class: class}, Bundle: encode(c.ca.BundleDocument(c.crls...)), Now: c.now,
		Signed: vectors.Signed{Token: token, Certificate: c.leaf.Raw, Issuer: c.issuer.Raw},
	}
	if len(token) > 100_000 {
		v.Token, v.TokenGzip = "", compress([]byte(token))
	}
	if c.state != nil {
		s := signed(c.state)
		v.State = &s
	}
	return v
}

// record spoils the record.
func record(change func(*identity.Record)) edit {
	return func(c *claim) {
		r := newRecord(c.ca, c.id)
		change(&r)
		c.payload = encode(r)
	}
}

// tombstone makes the claim a tombstone, and spoils it.
func tombstone(change func(*identity.Tombstone)) edit {
	return func(c *claim) {
		t := newTombstone(c.ca, c.id)
		if change != nil {
			change(&t)
		}
		c.typ, c.payload = identity.TombstoneTyp, encode(t)
	}
}

// operator makes the claim an operator's tombstone for the node, and spoils it.
func operator(change func(*identity.Tombstone)) edit {
	return func(c *claim) {
		c.sign(c.ca.Issue(c.ca.ID("operator", "olga")))
		c.operator = true
		tombstone(func(t *identity.Tombstone) {
			t.Sequence = identity.OperatorSequence
			if change != nil {
				change(t)
			}
		})(c)
	}
}

// text replaces a piece of the payload.
func text(old, with string) edit {
	return func(c *claim) { c.payload = []byte(replace(string(c.payload), old, with)) }
}

// value replaces the metadata value "Database" by raw JSON.
func value(raw string) edit { return text(`"Database"`, raw) }

// address replaces the endpoint's address.
func address(s string) edit {
	return record(func(r *identity.Record) { r.Endpoints[0].Address = s })
}

// metadataKey adds a pair of metadata with any key, as the first of two.
func metadataKey(k string) edit {
	return text(`"name":"Database"`, string(must(json.Marshal(k)))+`:"x"`)
}

func header(old, with string) edit {
	return func(c *claim) { c.header = func(h string) string { return replace(h, old, with) } }
}

func token(change func(string) string) edit { return func(c *claim) { c.token = change } }

// leaf lets the node show a spoilt certificate.
func leaf(edits ...func(*x509.Certificate)) edit {
	return func(c *claim) {
		c.leaf = nodeIssuer(c.ca).leaf(c.ca, c.id, c.key.Public(), edits...)
		c.issuer = c.ca.NodeIssuer
	}
}

// as lets another node of the network sign for itself.
func as(service, label string) edit {
	return func(c *claim) {
		c.id = c.ca.ID(service, label)
		c.sign(c.ca.Issue(c.id))
		c.payload = encode(newRecord(c.ca, c.id))
	}
}

// known is the state that the registry holds of db-1: its record, after
// change, under the certificate that the claim shows if that is db-1's.
func known(change func(*identity.Record)) edit {
	return func(c *claim) {
		id := c.ca.ID(service, "db-1")
		cred := must(identity.NewCredential(c.key, c.leaf, c.issuer))
		if cred.ID() != id {
			cred = c.ca.Issue(id)
		}
		c.state = statement(c.ca, cred, change)
	}
}

// statement signs a good record of a node.
func statement(ca *testca.Authority, cred *identity.Credential, change func(*identity.Record)) *identity.Statement {
	r := newRecord(ca, cred.ID())
	if change != nil {
		change(&r)
	}
	return must(identity.SignRecord(r, cred, ca.Bundle()))
}
