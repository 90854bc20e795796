package discovery_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// The registry that was asked leaves its address to another one of the network,
// which answers on the next connection.
func TestEventsAndHeartbeatsComeFromWhoWasAsked(t *testing.T) {
	s := newSetup("north", "south")
	node, other := newNode(s.ca, "db-1", start), s.ca.Issue(s.ca.ID("registry", "south"))
	token, _ := node.chain.Token(1)
	for name, row := range map[string]struct {
		reply any
		ask   func(*discovery.Client, *discovery.Remote) error
	}{
		"events": {discovery.EventsPage{Events: []discovery.Event{}}, func(c *discovery.Client, r *discovery.Remote) error {
			_, _, err := c.Events(t.Context(), r, discovery.EventsQuery{Limit: 1})
			return err
		}},
		"a heartbeat": {discovery.BeatReply{RID: node.signed.RID(), Status: discovery.Up}, func(c *discovery.Client, r *discovery.Remote) error {
			_, err := c.Beat(t.Context(), r, node.signed, identity.Beat{K: 1, Token: token}, false)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			north := newLab(s.ca, s.clock, "north")
			north.header = http.Header{"Connection": {"close"}}
			north.edit = func(string, int64, []byte) (int, []byte) { return http.StatusOK, must(json.Marshal(row.reply)) }
			var left atomic.Bool
			c := s.client(t, nil, north.serveAs(t, func() *tls.Certificate {
				if left.Load() {
					return other.TLS()
				}
				return north.tls.TLS()
			}))
			wantCode(t, row.ask(c, c.Remotes()[0]), "")
			left.Store(true)
			wantCode(t, row.ask(c, c.Remotes()[0]), identity.Unavailable)
			wantCode(t, row.ask(c, c.Remotes()[0]), "") // it is known by now who is there
		})
	}
}
