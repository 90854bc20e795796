package forge

import (
	"crypto/sha256"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// A pulse is a heartbeat on its way to a registry. The record of its node was
// signed at now and has an interval of 15 s.
type pulse struct {
	ca    *testca.Authority
	peer  identity.NodeID
	chain *identity.Chain
	v     vectors.Heartbeat
}

// newPulse returns the good token number k, revealed when it is due.
func newPulse(k int64) *pulse {
	ca := newCA()
	id := ca.ID(service, "db-1")
	s := statement(ca, ca.Issue(id), nil)
	p := &pulse{ca: ca, peer: id, chain: newChain(id, chainLength)}
	p.v = vectors.Heartbeat{
		Bundle: encode(ca.BundleDocument()), Now: now + k*15, Peer: id, RID: s.RID(),
		Beat: p.beat(k), States: []vectors.Signed{signed(s)},
	}
	return p
}

func (p *pulse) beat(k int64) identity.Beat {
	t, _ := p.chain.Token(k)
	return identity.Beat{K: k, Token: t}
}

// otherNode adds the record of db-2, which has a chain of its own.
func (p *pulse) otherNode() *identity.Statement {
	s := statement(p.ca, p.ca.Issue(p.ca.ID(service, "db-2")), nil)
	p.v.States = append(p.v.States, signed(s))
	return s
}

// Heartbeats returns the vectors of heartbeats at POST /v1/heartbeats.
func Heartbeats() vectors.File[vectors.Heartbeat] {
	f := vectors.File[vectors.Heartbeat]{About: "Heartbeat tokens as a registry takes or refuses them. Records were signed at 1795348800 with an interval of 15 s and 1440 tokens."}
	good := func(name string, k, counts int64, change func(*pulse)) {
		p := newPulse(k)
		if change != nil {
			change(p)
		}
		p.v.Name = name
		p.v.Want = &vectors.HeartbeatWant{Beat: p.beat(counts), LiveUntil: now + (counts+1)*15 + 60}
		f.Vectors = append(f.Vectors, p.v)
	}
	bad := func(name string, class identity.Code, k int64, change func(*pulse)) {
		p := newPulse(k)
		change(p)
		p.v.Name, p.v.Class = name, class
		f.Vectors = append(f.Vectors, p.v)
	}
	last := func(k int64) func(*pulse) {
		return func(p *pulse) { b := p.beat(k); p.v.Last = &b }
	}
	good("the first token", 1, 1, nil)
	good("the tenth token, verified down to the anchor", 10, 10, nil)
	good("a token verified down to the one accepted before", 10, 10, last(7))
	good("the token accepted before, again", 7, 7, last(7))
	good("a token lower than the one accepted before, which is ignored", 3, 7, func(p *pulse) { last(7)(p); p.v.Now = now + 7*15 })
	good("the last token of the chain", 1440, 1440, func(p *pulse) { last(1439)(p); p.v.Now = now + 1439*15 })
	good("a token as early as clocks may differ", 10, 10, func(p *pulse) { p.v.Now -= 60 })

	bad("a forged token", identity.BadSignature, 2, func(p *pulse) { p.v.Beat.Token = hashOf("forged") })
	bad("a forged token after an accepted one", identity.BadSignature, 2, func(p *pulse) { last(1)(p); p.v.Beat.Token = hashOf("forged") })
	bad("another token for the slot accepted before", identity.BadSignature, 2, func(p *pulse) { last(2)(p); p.v.Beat.Token = hashOf("forged") })
	bad("the token of an earlier slot", identity.BadSignature, 2, func(p *pulse) { p.v.Beat.Token = p.beat(1).Token })
	bad("the token of a later slot", identity.BadSignature, 2, func(p *pulse) { p.v.Beat.Token = p.beat(3).Token })
	bad("the token of another node", identity.BadSignature, 2, func(p *pulse) {
		t, _ := newChain(p.ca.ID(service, "db-2"), chainLength).Token(2)
		p.v.Beat.Token = t
	})
	bad("the token of another record of the node", identity.BadSignature, 2, func(p *pulse) {
		t, _ := must(identity.ChainFromSeed(p.peer, chainLength, sha256.Sum256([]byte("another chain")))).Token(2)
		p.v.Beat.Token = t
	})
	bad("the record's anchor as its first token", identity.BadSignature, 1, func(p *pulse) { p.v.Beat.Token = p.chain.Anchor() })
	bad("beyond the chain", identity.Limits, 1440, func(p *pulse) { p.v.Beat.K, p.v.Now = 1441, now+1439*15 })
	bad("number 0", identity.Limits, 1, func(p *pulse) { p.v.Beat = identity.Beat{K: 0, Token: p.chain.Anchor()} })
	bad("from the future, by a second more than clocks may differ", identity.BadTime, 10, func(p *pulse) { p.v.Now -= 61 })
	bad("for a record that is not the current one", identity.Superseded, 2, func(p *pulse) {
		p.v.States[0] = signed(statement(p.ca, p.ca.Issue(p.peer), func(r *identity.Record) { r.Sequence = 2 }))
	})
	bad("from a node of which nothing is known", identity.NotFound, 2, func(p *pulse) { p.v.States = []vectors.Signed{} })
	bad("from a client", identity.NotFound, 2, func(p *pulse) { p.v.Peer = p.ca.ID("client", "carl") })
	bad("another node's heartbeat, which counts for the connection it comes by", identity.Superseded, 2, func(p *pulse) { p.v.Peer = p.otherNode().Node() })
	bad("another node's token for the record of the connection", identity.BadSignature, 2, func(p *pulse) {
		s := p.otherNode()
		p.v.Peer, p.v.RID = s.Node(), s.RID()
	})
	return f
}
