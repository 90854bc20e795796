package directory

import (
	"context"
	"strconv"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
)

const routeStatus = "/v1/status"

// A Status is how a running registry stands.
type Status struct {
	Address  string          `json:"address"`
	Ops      string          `json:"ops"`
	Networks []NetworkStatus `json:"networks"`
}

// A NetworkStatus is how it stands in one network.
type NetworkStatus struct {
	Network  string          `json:"network"`
	ID       identity.NodeID `json:"id"`
	NID      identity.Hash   `json:"nid"`
	Version  int64           `json:"version"`
	Services int64           `json:"services"`
	Records  int64           `json:"records"`
	Up       int64           `json:"up"` // of the records, by the health of their nodes
	Suspect  int64           `json:"suspect"`
	Down     int64           `json:"down"`
	Disputed int64           `json:"disputed"` // of these, those whose heartbeats and probes contradict each other
	Brake    bool            `json:"brake"`    // too many would turn down at once, and none does
	HeadIAT  time.Time       `json:"head_iat"`
	NotAfter time.Time       `json:"not_after"` // of the certificate
	Problem  string          `json:"problem"`   // why it is not served; "" when it is
}

// Names returns the networks.
func (s Status) Names() []string {
	var names []string
	for _, n := range s.Networks {
		names = append(names, n.Network)
	}
	return names
}

// Table shows a line for each network.
func (s Status) Table() cli.Table {
	t := cli.Table{Header: []string{"NETWORK", "REGISTRY", "VERSION", "SERVICES", "RECORDS", "UP", "SUSPECT", "DOWN", "HEAD SIGNED", "CERTIFICATE UNTIL", "PROBLEM"}}
	for _, n := range s.Networks {
		problem := n.Problem
		if n.Brake && problem == "" {
			problem = "the brake holds: too many nodes fail at once"
		}
		t.Rows = append(t.Rows, []string{
			n.Network, n.ID.Label(), strconv.FormatInt(n.Version, 10), strconv.FormatInt(n.Services, 10), strconv.FormatInt(n.Records, 10),
			strconv.FormatInt(n.Up, 10), strconv.FormatInt(n.Suspect, 10), strconv.FormatInt(n.Down, 10), n.HeadIAT.UTC().Format(time.RFC3339), n.NotAfter.UTC().Format(time.RFC3339), problem,
		})
	}
	return t
}

// AskStatus asks the registry that runs in dir.
func AskStatus(ctx context.Context, dir string) (Status, error) {
	var s Status
	err := admin.NewClient(cli.AdminSocket(dir)).Call(ctx, routeStatus, struct{}{}, &s)
	return s, err
}

func (s *Server) status(context.Context, struct{}) (Status, error) {
	out := Status{Address: s.Address(), Ops: s.Ops()}
	for _, n := range s.networks {
		i := n.source.Identity()
		st := NetworkStatus{Network: i.Document.Network, ID: i.ID(), NID: i.Document.NID, NotAfter: i.Credential.Leaf().NotAfter}
		if snap := n.catalog.Snapshot(); snap != nil {
			h := snap.Head()
			st.Version, st.Services, st.Records, st.HeadIAT = h.Version, h.Services, h.Records, time.Unix(h.IAT, 0)
		}
		h := n.catalog.Health()
		st.Up, st.Suspect, st.Down = h.Nodes[healthwatch.Up], h.Nodes[healthwatch.Suspect], h.Nodes[healthwatch.Down]
		st.Disputed, st.Brake = h.Disputed, h.Braked
		if err := n.catalog.Err(); err != nil {
			st.Problem = err.Error()
		}
		out.Networks = append(out.Networks, st)
	}
	return out, nil
}
