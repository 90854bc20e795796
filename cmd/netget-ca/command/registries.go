package command

import (
	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

func (c *commands) registries() *cobra.Command {
	cmd := &cobra.Command{
		Use: "registries", Short: "Say which registries a network has",
		Long: "Nodes take the list of their network's registries from the authority: at\n" +
			"enrolment, at renewal, and when no registry answers.",
		Example: "  netget-ca registries add https://10.0.0.7:8438 --registry r1\n  netget-ca registries list",
	}
	cmd.AddCommand(c.registriesAdd(), c.registriesRemove(), c.registriesList())
	return cmd
}

func (c *commands) registriesAdd() *cobra.Command {
	var r authority.RegistryAddress
	cmd := &cobra.Command{
		Use: "add URL --registry NAME", Short: "Add an address of a registry", Args: cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		Example:           "  netget-ca registries add https://10.0.0.7:8438 --registry r1 --network production",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.URL, r.Network, r.Node = args[0], identity.FoldName(r.Network), identity.FoldName(r.Node)
			if err := checkNode("registry", r.Node); err != nil {
				return err
			}
			return c.printRegistries(func(a authority.Authority) ([]pki.Registry, error) { return a.AddRegistry(cmd.Context(), r) })
		},
	}
	cmd.Flags().StringVar(&r.Node, "registry", "", "name of the registry that answers there")
	mustHave(cmd, "registry")
	c.networkFlag(cmd, &r.Network, "the only one")
	return cmd
}

func (c *commands) registriesRemove() *cobra.Command {
	var r authority.RegistryAddress
	cmd := &cobra.Command{
		Use: "remove URL", Short: "Remove an address", Args: cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		Example:           "  netget-ca registries remove https://10.0.0.7:8438",
		RunE: func(cmd *cobra.Command, args []string) error {
			r.URL, r.Network = args[0], identity.FoldName(r.Network)
			return c.printRegistries(func(a authority.Authority) ([]pki.Registry, error) { return a.RemoveRegistry(cmd.Context(), r) })
		},
	}
	c.networkFlag(cmd, &r.Network, "the only one")
	return cmd
}

func (c *commands) registriesList() *cobra.Command {
	var network string
	cmd := &cobra.Command{
		Use: "list", Short: "List registries and their addresses", Args: cobra.NoArgs,
		Example: "  netget-ca registries list --network production -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.printRegistries(func(a authority.Authority) ([]pki.Registry, error) {
				return a.Registries(cmd.Context(), identity.FoldName(network))
			})
		},
	}
	c.networkFlag(cmd, &network, "all")
	return cmd
}

// printRegistries prints the list that call returns.
func (c *commands) printRegistries(call func(authority.Authority) ([]pki.Registry, error)) error {
	a, err := c.authority()
	if err != nil {
		return err
	}
	list, err := call(a)
	if err != nil {
		return err
	}
	return c.Printer().Print(registries{list})
}
