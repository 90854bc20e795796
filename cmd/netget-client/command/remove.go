package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// removal is what remove prints: the tombstone and who took it.
type removal struct{ deregistration }

// Table returns what people see.
func (r removal) Table() cli.Table {
	return cli.Table{
		Header: []string{"ID", "REMOVED AT", "NOT REACHED"},
		Rows:   [][]string{{r.ID.String(), urls(r.Accepted), problems(r.Errors)}},
	}
}

func (c *commands) remove() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "remove SERVICE NODE", Short: "Take a node off the network, as an operator", Args: cobra.ExactArgs(2),
		ValidArgsFunction: c.completeNode,
		Long: "Remove signs, with the identity of an operator, that a node is gone, and brings that\n" +
			"to all registries. A node that still runs hears of it and stays out until it is\n" +
			"started again; what keeps it out is to revoke its certificate. --dry-run shows what\n" +
			"would go.",
		Example: "  netget-client remove databaseservice db-1 --identity ./olga\n" +
			"  netget-client remove databaseservice db-1 --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			service, label, err := nodeName(args[0], args[1])
			if err != nil {
				return err
			}
			if err := c.checkOperator(); err != nil {
				return err
			}
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			if dry {
				return c.showNode(cmd.Context(), node, service, label)
			}
			return c.removeNode(cmd.Context(), node, service, label)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show the node, as 'node' does")
	return cmd
}

func (c *commands) removeNode(ctx context.Context, node *netget.Node, service, label string) error {
	r, err := node.Remove(ctx, service, label)
	if err != nil {
		return explain(err)
	}
	return c.Printer().Print(removal{deregistration{r.ID, r.RID, r.Epoch, r.Sequence, r.Accepted, r.Errors}})
}

// checkOperator refuses identities whose word removes nothing.
func (c *commands) checkOperator() error {
	i, err := c.load()
	if err != nil {
		return err
	}
	if id := i.ID(); id.Type() != identity.OperatorNode {
		return cli.Hint(cli.Fail(cli.ExitDenied, "%s is a %s, and only operators remove nodes", id, id.Type()),
			"use an operator's identity: 'netget-ca token operator NAME', then 'netget-client enroll TOKEN --identity DIR'")
	}
	return nil
}
