package attack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

// Good ones that stand on the list of refusals, because they change nothing.
const lowerBeat = "a token lower than the one accepted before, which is ignored"

func attackHeartbeats(t *testing.T, g *group) {
	t.Helper()
	list := slices.DeleteFunc(read[vectors.Heartbeat](t, vectors.HeartbeatsFile), func(v vectors.Heartbeat) bool {
		return v.Class == "" && v.Name != lowerBeat
	})
	for _, s := range sieges(t, list, func(v vectors.Heartbeat) (json.RawMessage, int64, any) {
		return v.Bundle, v.Now, []any{v.States, v.Last}
	}) {
		r := newTarget(t, s.bundle, vectorSigned)
		p := r.pulse(t, s.vectors[0])
		if s.vectors[0].Last != nil { // tokens are written a while after they were accepted
			r.process.stop(t)
			r.start(t)
		}
		r.at(s.now)
		before, stored := r.state(t), dumpOf(t, r.store())
		for _, v := range s.vectors {
			g.try(t, v.Name, wantOfBeat(v), func(t *testing.T) outcome {
				t.Helper()
				defer r.unchanged(t, &before)
				return p.send(t, r, v)
			})
		}
		r.process.stop(t)
		unchangedStore(t, &stored, r.store())
	}
}

func wantOfBeat(v vectors.Heartbeat) outcome {
	if v.Class == "" {
		return "200, ignored"
	}
	if v.Class == identity.BadSignature { // somebody is guessing
		return answered(401, v.Class) + ", connection ended"
	}
	return answered(statuses(v.Class), v.Class)
}

// A pulse is what the nodes of a vector hold.
type pulse map[identity.NodeID]vectors.Signed

// pulse has the states of a vector accepted, and its last token when it was due.
func (r *target) pulse(t *testing.T, v vectors.Heartbeat) pulse {
	t.Helper()
	p := pulse{}
	for _, state := range v.States {
		c := r.hold(t, state)
		s, err := judge.Statement(r.ca.Bundle(), state)
		if err != nil {
			t.Fatal(err)
		}
		p[s.Node()] = state
		if record, _ := s.Record(); s.Node() == v.Peer && v.Last != nil {
			r.at(max(vectorSigned, record.IAT+v.Last.K*record.Heartbeat.Interval-60))
			if got := c.send(t, c.message(t, "/v1/heartbeats", "application/json", beatBody(v.RID, *v.Last))); got.status != http.StatusOK {
				t.Fatalf("the last token: %d %s", got.status, got.body)
			}
		}
	}
	return p
}

// send sends the heartbeat of a vector over a connection of its peer.
func (p pulse) send(t *testing.T, r *target, v vectors.Heartbeat) outcome {
	t.Helper()
	cred := r.ca.Issue(v.Peer)
	c := r.dial(t, cred.Leaf().Raw, cred.Issuer().Raw)
	if r.posts[c.id]++; r.posts[c.id] > 1 && p[v.Peer].Token != "" {
		r.refill(t, c, "/v1/heartbeats", "application/json", 16)
	}
	got := c.send(t, c.message(t, "/v1/heartbeats", "application/json", beatBody(v.RID, v.Beat)))
	if v.Class == identity.Superseded {
		toldState(t, got, p[v.Peer])
	}
	if v.Class == "" {
		return got.outcome() + ", ignored"
	}
	if got.closed {
		return got.outcome() + ", connection ended"
	}
	return got.outcome()
}

func beatBody(rid identity.Hash, b identity.Beat) []byte {
	return fmt.Appendf(nil, `{"rid":%q,"k":%d,"token":%q}`, rid, b.K, b.Token)
}
