package registry_test

import (
	"net/http"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func TestVectorsOfHeartbeats(t *testing.T) {
	eachVector(t, vectors.HeartbeatsFile, func(t *testing.T, v vectors.Heartbeat) {
		t.Helper()
		b := &beating{lab: newLab(t, v.Bundle, vectorSigned), v: v}
		b.settle()
		b.prepare()
		if !b.over {
			b.judge(v.Now)
			b.written()
			return
		}
		b.judge(v.Now - 60)
		b.clock.Store(v.Now)
		b.rest() // the record is removed
		before := b.holdings()
		refused(t, b.beat(v.RID, v.Beat), http.StatusNotFound, identity.NotFound)
		b.unchanged(before)
	})
}

// A beating is a heartbeat of the vectors with the registry that it is sent to.
type beating struct {
	*lab
	v      vectors.Heartbeat
	caller *resident
	record *identity.Record // the caller's present one; nil: none
	over   bool             // it has ended when the heartbeat comes
}

// prepare registers the nodes and has the last token accepted, when it was due.
func (b *beating) prepare() {
	b.t.Helper()
	cred := b.ca.Issue(b.v.Peer)
	b.caller = b.dial(cred.Leaf().Raw, cred.Issuer().Raw)
	for _, state := range b.v.States {
		r, s := b.hold(state), b.statement(state)
		if s.Node() == b.v.Peer {
			b.caller = r
			b.record, _ = s.Record()
			b.over = s.ExpiresAt() <= b.v.Now
		}
	}
	if b.v.Last != nil {
		b.clock.Store(max(vectorSigned, b.record.IAT+b.v.Last.K*b.record.Heartbeat.Interval-60))
		want(b.t, b.beat(b.v.RID, *b.v.Last), http.StatusOK)
	}
}

func (b *beating) beat(rid identity.Hash, beat identity.Beat) reply {
	b.t.Helper()
	return b.caller.mustSend(b.caller.message("/v1/heartbeats", "application/json", []byte(beatBody(rid, beat.K, beat.Token))))
}

// judge sends the heartbeat at a moment and compares what comes of it with the
// vector.
func (b *beating) judge(now int64) {
	t := b.t
	t.Helper()
	b.clock.Store(now)
	b.rest() // the head is signed again
	before := b.holdings()
	got := b.beat(b.v.RID, b.v.Beat)
	if b.v.Class == "" {
		want(t, got, http.StatusOK)
		b.counts(b.wanted())
		return
	}
	class := b.v.Class
	refused(t, got, statuses[class], class)
	b.unchanged(before)
	if b.caller.closed != (class == identity.BadSignature) {
		t.Errorf("whether the connection ends: %v", b.caller.closed)
	}
	if class == identity.Superseded {
		for _, s := range b.v.States {
			if b.statement(s).Node() == b.v.Peer {
				toldState(t, got, s)
			}
		}
	}
	b.counts(b.wanted())
}

// wanted returns the token that counts afterwards, zero for none.
func (b *beating) wanted() identity.Beat {
	switch {
	case b.v.Want != nil:
		return b.v.Want.Beat
	case b.v.Last != nil:
		return *b.v.Last
	}
	return identity.Beat{}
}

// written stops the catalog and fails unless the store has the token that counts.
func (b *beating) written() {
	b.t.Helper()
	b.stop()
	if got := b.store.Contents().Beats[b.v.Peer].Beat; got != b.wanted() {
		b.t.Errorf("the store has %v, want %v", got, b.wanted())
	}
}

// counts fails unless beat is the token that clients are shown of the caller's
// record.
func (b *beating) counts(beat identity.Beat) {
	b.t.Helper()
	if b.record == nil {
		return
	}
	view := b.discover(b.v.Peer.Service())
	for _, n := range view.Nodes {
		if n.Record.Node != b.v.Peer {
			continue
		}
		if n.Beat != beat {
			b.t.Errorf("clients see %v, want %v", n.Beat, beat)
		}
		if w := b.v.Want; w != nil && n.Record.LiveUntil(n.Beat.K) != w.LiveUntil {
			b.t.Errorf("live until %d, want %d", n.Record.LiveUntil(n.Beat.K), w.LiveUntil)
		}
		return
	}
	b.t.Errorf("%s is not listed", b.v.Peer)
}
