package command

import (
	"context"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// NodeTable shows nodes to people.
func NodeTable(nodes []netget.ServiceNode, stale bool) cli.Table { return nodeTable(nodes, stale) }

// AskHealth asks for services as services does, and returns for how many there
// was an answer.
func AskHealth(ctx context.Context, names []string, ask func(string) error) (answered int, err error) {
	var services []serviceState
	for _, name := range names {
		services = append(services, serviceState{ServiceCount: netget.ServiceCount{Service: name}})
	}
	err = askHealth(ctx, services, func(_ context.Context, service string) (*serviceHealth, []netget.RegistryProblem, error) {
		if err := ask(service); err != nil {
			return nil, nil, err
		}
		return &serviceHealth{}, nil, nil
	}, new(cli.Progress))
	for _, s := range services {
		if s.Health != nil {
			answered++
		}
	}
	return answered, err
}
