package command

import (
	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// deregistration is what deregister prints: the tombstone and who took it.
type deregistration struct {
	ID       identity.NodeID          `json:"id"`
	RID      identity.Hash            `json:"rid"`
	Epoch    int64                    `json:"epoch"`
	Sequence int64                    `json:"sequence"`
	Accepted []netget.Acceptance      `json:"accepted"`
	Errors   []netget.RegistryProblem `json:"errors"`
}

// Names returns the identity.
func (d deregistration) Names() []string { return []string{d.ID.String()} }

// Table returns what people see.
func (d deregistration) Table() cli.Table {
	return cli.Table{
		Header: []string{"ID", "DEREGISTERED AT", "NOT REACHED"},
		Rows:   [][]string{{d.ID.String(), urls(d.Accepted), problems(d.Errors)}},
	}
}

func (c *commands) deregister() *cobra.Command {
	return &cobra.Command{
		Use: "deregister", Short: "End the node's registration", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Deregister signs that the node is gone, after what its folder or else a registry says\n" +
			"is registered, and brings that to all registries. A running 'register' does it by\n" +
			"itself when it ends.",
		Example: "  netget-client deregister\n" +
			"  netget-client deregister --identity ./db-1 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			r, err := node.Deregister(cmd.Context())
			if err != nil {
				return explain(err)
			}
			return c.Printer().Print(deregistration{r.ID, r.RID, r.Epoch, r.Sequence, r.Accepted, r.Errors})
		},
	}
}
