package command

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// services is what services prints.
type services struct{ *netget.NetworkServices }

// Names returns the services.
func (s services) Names() []string {
	var names []string
	for _, each := range s.Services {
		names = append(names, each.Service)
	}
	return names
}

// Table returns what people see.
func (s services) Table() cli.Table {
	t := cli.Table{Header: []string{"SERVICE", "RECORDS"}}
	for _, each := range s.Services {
		t.Rows = append(t.Rows, []string{each.Service, strconv.FormatInt(each.Records, 10)})
	}
	return t
}

func (c *commands) services() *cobra.Command {
	var states bool
	cmd := &cobra.Command{
		Use: "services", Short: "List the services of the network", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Services lists all services of the network with the number of their records, active\n" +
			"or not. The list is verified to be whole. --status also asks for each service, and\n" +
			"counts how its nodes are.",
		Example: "  netget-client services\n  netget-client services --status\n  netget-client services -o name",
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
			if !states {
				return c.Printer().Print(services{list})
			}
			all, err := statesOf(cmd.Context(), node, list)
			if err != nil {
				return explain(err)
			}
			return c.Printer().Print(all)
		},
	}
	cmd.Flags().BoolVar(&states, "status", false, "also count the nodes that are up, suspect, down, disputed and draining: a question for each service")
	return cmd
}
