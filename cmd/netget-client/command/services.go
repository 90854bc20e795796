package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// services is what services prints.
type services struct {
	Network    string                   `json:"network"`
	NID        identity.Hash            `json:"nid"`
	Registries []netget.RegistryAnswer  `json:"registries"`
	Services   []serviceState           `json:"services"`
	Errors     []netget.RegistryProblem `json:"errors"`

	brief bool // nobody was asked for health
}

func newServices(list *netget.NetworkServices, brief bool) *services {
	s := &services{list.Network, list.NID, list.Registries, []serviceState{}, list.Errors, brief}
	for _, each := range list.Services {
		s.Services = append(s.Services, serviceState{ServiceCount: each, Errors: []netget.RegistryProblem{}})
	}
	return s
}

// Names returns the services.
func (s *services) Names() []string {
	var names []string
	for _, each := range s.Services {
		names = append(names, each.Service)
	}
	return names
}

// Table returns what people see.
func (s *services) Table() cli.Table {
	t := cli.Table{
		Header: []string{"SERVICE", "RECORDS", "UP", "SUSPECT", "DOWN", "DISPUTED", "DRAINING", "SINCE", "REASONS"},
		Colour: countColour,
	}
	if s.brief {
		t.Header = t.Header[:2]
	}
	for _, each := range s.Services {
		t.Rows = append(t.Rows, each.cells()[:len(t.Header)])
	}
	return t
}

func (c *commands) services() *cobra.Command {
	var brief bool
	cmd := &cobra.Command{
		Use: "services", Short: "List the services of the network", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Services lists all services of the network with the number of their records, active\n" +
			"or not. The list is verified to be whole. It then asks for each service, and counts\n" +
			"how its nodes are: up, suspect or down; disputed where heartbeats and probes\n" +
			"contradict each other, or nothing proves that what is called up lives; draining\n" +
			"where a node wishes no more users. SINCE is the last change, REASONS say why\n" +
			"nodes are not up or not active.\n\n" +
			"Where a service gave no answer that can be verified its counts are ?, and the exit\n" +
			"code is 5 or 6. Beyond 80 services it asks 16 a second; --brief does not ask.",
		Example: "  netget-client services\n  netget-client services --brief\n  netget-client services -o name",
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			list, err := node.Services(cmd.Context())
			if err != nil {
				return explain(err)
			}
			brief = brief || c.Output() == cli.FormatName
			s := newServices(list, brief)
			var unanswered error
			if !brief {
				ask := func(ctx context.Context, service string) (*serviceHealth, []netget.RegistryProblem, error) {
					return health(ctx, node, service)
				}
				unanswered = askHealth(cmd.Context(), s.Services, ask, c.Progress(len(s.Services), "services"))
			}
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if err := c.Printer().Print(s); err != nil {
				return err
			}
			return explain(unanswered)
		},
	}
	cmd.Flags().BoolVar(&brief, "brief", false, "only the services and the number of their records")
	return cmd
}
