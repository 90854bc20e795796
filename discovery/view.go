package discovery

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A View is an opened answer: what one registry verifiably says of a service.
type View struct {
	Service string
	Head    Head
	Found   bool          // false: there verifiably is no such service
	Value   identity.Hash // of the service in the map; zero when absent
	Nodes   []Node        // in tree order
	LeftOut []LeftOut     // records that the registry lists and we do not take

	entries  []entry
	document []byte
	marks    map[identity.NodeID]NodeMark
}

// A Node is one record of a view with what may be concluded of it.
type Node struct {
	Record   *identity.Record
	RID      identity.Hash
	Status   Status // the registry's word
	Since    int64
	Beat     identity.Beat // the greatest token that verified
	Live     bool          // the node itself proved recently that it lives
	Disputed bool          // up, says the registry, but not live; or the registry says so
	Cause    string        // the registry's unproven word for why the status is not up; "" for none

	hinted bool // the registry says that it is disputed
}

// A LeftOut is a record that was left out of an answer which stands otherwise.
type LeftOut struct {
	ID   identity.NodeID
	Code identity.Code // time, revoked, rollback or equivocation
	// Evidence holds both records of a node that signed two for one
	// (epoch, sequence), as far as they are at hand.
	Evidence []string

	epoch, sequence, iat int64
}

// Place returns where the record stands in the node's order, and its iat.
func (l LeftOut) Place() (epoch, sequence, iat int64) { return l.epoch, l.sequence, l.iat }

// Active reports whether the node may be used: it wants to be, the registry
// has not found it down, and it is live.
func (n Node) Active() bool {
	return n.Record.State == identity.Active && n.Status != Down && n.Live
}

// Reason says why a node is not active; "" if it is.
func (n Node) Reason() string {
	switch {
	case n.Record.State == identity.Draining:
		return "draining"
	case n.Status == Down:
		return "down"
	case n.Status == Up && !n.Live:
		return "disputed"
	case !n.Live:
		return "not-live"
	}
	return ""
}

// judge is the rest of step 7, which leaves out single records, and step 9.
func (o *Opener) judge(v *View, beats []json.RawMessage, ask Ask) {
	v.marks = make(map[identity.NodeID]NodeMark, len(v.entries))
	budget := int64(maxBeatHashes)
	for i, e := range v.entries {
		s := e.statement()
		var known *NodeMark
		if ask.Nodes != nil {
			known = ask.Nodes(s.Node())
		}
		mark, err := known.follow(s)
		if e2 := o.checkUsable(s, ask.Now); e2 != nil {
			err = e2
		} else {
			v.marks[s.Node()] = mark
		}
		if err != nil {
			v.LeftOut = append(v.LeftOut, LeftOut{ID: s.Node(), Code: identity.CodeOf(err), Evidence: []string{s.Token()}, epoch: s.Epoch(), sequence: s.Sequence(), iat: s.IssuedAt()})
			continue
		}
		v.Nodes = append(v.Nodes, o.node(e, beats[i], ask.Now, &budget)) //nolint:gosec // one for each entry, see the callers
	}
}

// checkUsable judges time and revocation of a record and its certificates.
func (o *Opener) checkUsable(s *identity.Statement, now time.Time) error {
	if err := s.CheckTime(now); err != nil {
		return err
	}
	if err := s.Certificate().CheckTime(now); err != nil {
		return err
	}
	return o.bundle.CheckRevoked(s.Certificate())
}

// node is step 9: what the heartbeat proves. A bad one proves nothing.
func (o *Opener) node(e entry, heartbeat json.RawMessage, now time.Time, budget *int64) Node {
	r, _ := e.statement().Record()
	n := Node{Record: r, RID: e.statement().RID(), Status: e.status, Since: e.since, Cause: e.reason, hinted: e.disputed}
	n.Beat = e.opened.take(r, heartbeat, now, budget)
	n.conclude(now)
	return n
}

// conclude says what follows at a moment from token, status and hints.
func (n *Node) conclude(now time.Time) {
	n.Live = now.Unix() < n.Record.LiveUntil(n.Beat.K)
	n.Disputed = n.hinted || n.Status == Up && !n.Live
}

// take verifies a heartbeat against the greatest that is known of the record,
// and returns the greatest. It hashes within the budget, and nothing for one
// that was judged before.
func (k *opened) take(r *identity.Record, heartbeat json.RawMessage, now time.Time, budget *int64) identity.Beat {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(heartbeat) == 0 || bytes.Equal(heartbeat, k.sent) {
		return k.beat
	}
	k.sent = bytes.Clone(heartbeat)
	var sent identity.Beat
	if identity.UnmarshalStrict(heartbeat, &sent) != nil {
		return k.beat
	}
	if *budget -= max(0, min(sent.K, r.Heartbeat.Count)-k.beat.K); *budget < 0 {
		k.sent = nil
		return k.beat
	}
	beat, err := r.VerifyBeat(sent, k.beat, now)
	switch identity.CodeOf(err) { //nolint:exhaustive // all others stay what they are
	case "":
		k.beat = beat
	case identity.BadTime:
		k.sent = nil // it may be right later
	}
	return k.beat
}
