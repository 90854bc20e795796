package discovery_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/neurons-me/netget/discovery"
)

func TestHintsOfARegistryAreShownAndDecideNothing(t *testing.T) {
	for name, row := range map[string]struct {
		status             discovery.Status
		reason             string
		disputed           bool
		cause              string
		active, isDisputed bool
	}{
		"up without a hint":         {discovery.Up, "", false, "", true, false},
		"up and disputed":           {discovery.Up, "", true, "", true, true},
		"suspect with a reason":     {discovery.Suspect, "heartbeat-late", false, "heartbeat-late", true, false},
		"down with a reason":        {discovery.Down, "probe-failed", true, "probe-failed", false, true},
		"a word of a later version": {discovery.Down, "moon-phase", false, "moon-phase", false, false},
		"a word that is too long":   {discovery.Down, strings.Repeat("a", 65), false, "", false, false},
		"the longest word":          {discovery.Down, strings.Repeat("a", 64), false, strings.Repeat("a", 64), false, false},
		"more than a word":          {discovery.Down, "\x1b[31mred", false, "", false, false},
		"a word in capitals":        {discovery.Down, "Late", false, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup("north")
			north, node := newLab(s.ca, s.clock, "north"), newNode(s.ca, "db-1", start)
			node.status, node.reason, node.disputed = row.status, row.reason, row.disputed
			north.commit(node)
			c := s.client(t, nil, north.serve(t))
			for range 2 { // the answer, then its refresh
				found, err := c.Discover(t.Context(), service)
				if err != nil {
					t.Fatal(err)
				}
				n := found.Nodes[0]
				if n.Cause != row.cause || n.Disputed != row.isDisputed || n.Active() != row.active {
					t.Errorf("got cause %q, disputed %t, active %t; want %q, %t, %t", n.Cause, n.Disputed, n.Active(), row.cause, row.isDisputed, row.active)
				}
				if why := n.Reason(); row.active && why != "" || !row.active && why != "down" {
					t.Errorf("it is not active because of %q; want the status alone to say so", why)
				}
			}
		})
	}
}

func TestHintsOfSeveralRegistriesAreJoined(t *testing.T) {
	s := newSetup("north", "south")
	north, south := newLab(s.ca, s.clock, "north"), newLab(s.ca, s.clock, "south")
	node := newNode(s.ca, "db-1", start)
	here, there := *node, *node
	here.status, here.reason = discovery.Down, "heartbeat-missing"
	there.status, there.reason, there.disputed = discovery.Suspect, "probe-failed", true
	north.commit(&here)
	south.commit(&there)
	found, err := s.client(t, both, north.serve(t), south.serve(t)).Discover(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	if n := found.Nodes[0]; n.Status != discovery.Suspect || n.Cause != "probe-failed" || !n.Disputed {
		t.Errorf("got %s, cause %q, disputed %t; want the better status with its cause, and the dispute of either", n.Status, n.Cause, n.Disputed)
	}
}

func TestHintOfAnotherFormIsMalformedAsAnyMemberIs(t *testing.T) {
	s := newSetup("north")
	north, node := newLab(s.ca, s.clock, "north"), newNode(s.ca, "db-1", start)
	north.commit(node)
	north.edit = func(_ string, _ int64, doc []byte) (int, []byte) {
		return http.StatusOK, []byte(strings.Replace(string(doc), `"status":"up"`, `"status":"up","reason":null`, 1))
	}
	_, err := s.client(t, nil, north.serve(t)).Discover(t.Context(), service)
	wantCode(t, err, "malformed")
}
