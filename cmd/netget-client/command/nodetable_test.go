package command_test

import (
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/cmd/netget-client/command"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

func TestPeopleSeeHowANodeIsSinceWhenAndWhy(t *testing.T) {
	since := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		node        netget.ServiceNode
		stale       bool
		status, why string
		colour      cli.Colour
	}{
		"up":                 {netget.ServiceNode{Status: discovery.Up}, false, "up", "-", cli.Green},
		"up at last hearing": {netget.ServiceNode{Status: discovery.Up}, true, "up, stale", "-", cli.Yellow},
		"suspect and active": {netget.ServiceNode{Status: discovery.Suspect, Cause: "heartbeat-late"}, false, "suspect", "heartbeat-late", cli.Yellow},
		"down": {
			netget.ServiceNode{Status: discovery.Down, Cause: "probe-failed", Reason: "down (since 2026-11-22T17:00:00Z: probe-failed)"},
			false, "down", "probe-failed", cli.Red,
		},
		"down without a word":      {netget.ServiceNode{Status: discovery.Down, Reason: "down (since 2026-11-22T17:00:00Z)"}, false, "down", "down", cli.Red},
		"disputed":                 {netget.ServiceNode{Status: discovery.Up, Disputed: true, Reason: "disputed"}, false, "up, disputed", "disputed", cli.Yellow},
		"draining":                 {netget.ServiceNode{Status: discovery.Up, State: identity.Draining, Reason: "draining"}, false, "up, draining", "draining", cli.Yellow},
		"down while it is drained": {netget.ServiceNode{Status: discovery.Down, State: identity.Draining, Reason: "draining (down since)"}, false, "down, draining", "draining", cli.Red},
	} {
		t.Run(name, func(t *testing.T) {
			row.node.Since = since
			table := command.NodeTable([]netget.ServiceNode{row.node}, row.stale)
			got := table.Rows[0]
			if got[1] != row.status || got[2] != "2026-11-22T17:00:00Z" || got[6] != row.why {
				t.Errorf("got %q, want %q and %q", got, row.status, row.why)
			}
			if got := table.Colour(1, got[1]); got != row.colour || table.Colour(0, "down") != cli.Plain {
				t.Errorf("got colour %d, want %d for the status alone", got, row.colour)
			}
		})
	}
}
