package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// oneNode is what node prints.
type oneNode struct {
	Network    string                   `json:"network"`
	Node       netget.ServiceNode       `json:"node"`
	Registries []netget.RegistryAnswer  `json:"registries"`
	Errors     []netget.RegistryProblem `json:"errors"`
}

// Names returns the identity.
func (o oneNode) Names() []string { return []string{o.Node.ID.String()} }

// Table returns what people see.
func (o oneNode) Table() cli.Table { return nodeTable([]netget.ServiceNode{o.Node}, false) }

func (c *commands) node() *cobra.Command {
	return &cobra.Command{
		Use: "node SERVICE NODE", Short: "Show one node of a service", Args: cobra.ExactArgs(2),
		ValidArgsFunction: c.completeNode,
		Long:              "Node shows what the registries verifiably say of one node, active or not.",
		Example: "  netget-client node databaseservice db-1\n" +
			"  netget-client node databaseservice db-1 -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			service, label, err := nodeName(args[0], args[1])
			if err != nil {
				return err
			}
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			return c.showNode(cmd.Context(), node, service, label)
		},
	}
}

// showNode prints what the registries verifiably say of a node.
func (c *commands) showNode(ctx context.Context, node *netget.Node, service, label string) error {
	d, err := node.LookupNode(ctx, service, label)
	if err != nil {
		return explain(err)
	}
	if len(d.Nodes) == 0 {
		return cli.Hint(cli.Fail(cli.ExitNotFound, "the record cannot be used: %s", leftOut(d.LeftOut)), "ask whoever runs this node, or the operator of the network")
	}
	return c.Printer().Print(oneNode{d.Network, d.Nodes[0], d.Registries, d.Errors})
}
