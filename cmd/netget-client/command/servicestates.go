package command

import (
	"context"
	"strconv"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// Questions that a registry answers at once, and then how fast.
const (
	questionsAtOnce = 80
	questionPace    = time.Second / 16
)

// A serviceState counts how the nodes of a service are. One that is disputed or
// draining is also up, suspect or down.
type serviceState struct {
	netget.ServiceCount

	Up       int `json:"up"`
	Suspect  int `json:"suspect"`
	Down     int `json:"down"`
	Disputed int `json:"disputed"`
	Draining int `json:"draining"`
}

// serviceStates is what services --status prints.
type serviceStates struct {
	Network    string                   `json:"network"`
	NID        identity.Hash            `json:"nid"`
	Registries []netget.RegistryAnswer  `json:"registries"`
	Services   []serviceState           `json:"services"`
	Errors     []netget.RegistryProblem `json:"errors"`
}

// Names returns the services.
func (s serviceStates) Names() []string {
	var names []string
	for _, each := range s.Services {
		names = append(names, each.Service)
	}
	return names
}

// Table returns what people see.
func (s serviceStates) Table() cli.Table {
	t := cli.Table{Header: []string{"SERVICE", "RECORDS", "UP", "SUSPECT", "DOWN", "DISPUTED", "DRAINING"}, Colour: countColour}
	for _, each := range s.Services {
		row := []string{each.Service, strconv.FormatInt(each.Records, 10)}
		for _, count := range []int{each.Up, each.Suspect, each.Down, each.Disputed, each.Draining} {
			row = append(row, strconv.Itoa(count))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// countColour colours the counts that are not 0.
func countColour(column int, cell string) cli.Colour {
	colours := []cli.Colour{cli.Plain, cli.Plain, cli.Green, cli.Yellow, cli.Red, cli.Yellow, cli.Yellow}
	if cell == "0" {
		return cli.Plain
	}
	return colours[column]
}

// statesOf asks for each service of a list.
func statesOf(ctx context.Context, node *netget.Node, list *netget.NetworkServices) (serviceStates, error) {
	all := serviceStates{list.Network, list.NID, list.Registries, []serviceState{}, list.Errors}
	pace := time.NewTicker(questionPace)
	defer pace.Stop()
	for i, each := range list.Services {
		if i >= questionsAtOnce {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return all, ctx.Err()
			}
		}
		d, err := node.Discover(ctx, each.Service)
		if err != nil {
			return all, err
		}
		all.Services = append(all.Services, stateOf(each, d.Nodes))
	}
	return all, nil
}

func stateOf(service netget.ServiceCount, nodes []netget.ServiceNode) serviceState {
	s := serviceState{ServiceCount: service}
	for _, n := range nodes {
		switch n.Status {
		case discovery.Up:
			s.Up++
		case discovery.Suspect:
			s.Suspect++
		case discovery.Down:
			s.Down++
		}
		if n.Disputed {
			s.Disputed++
		}
		if n.State == identity.Draining {
			s.Draining++
		}
	}
	return s
}
