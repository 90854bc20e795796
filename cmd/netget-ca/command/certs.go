package command

import (
	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/identity"
)

func (c *commands) certs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "certs", Short: "Show what was issued",
		Example: "  netget-ca certs list",
	}
	cmd.AddCommand(c.certsList())
	return cmd
}

func (c *commands) certsList() *cobra.Command {
	var network string
	cmd := &cobra.Command{
		Use: "list", Short: "List the certificates, newest first", Args: cobra.NoArgs,
		Example: "  netget-ca certs list --network production -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.authority()
			if err != nil {
				return err
			}
			list, err := a.Certificates(cmd.Context(), identity.FoldName(network))
			if err != nil {
				return err
			}
			return c.Printer().Print(certificates{list})
		},
	}
	c.networkFlag(cmd, &network, "all")
	return cmd
}
