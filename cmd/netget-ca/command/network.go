package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

func (c *commands) network() *cobra.Command {
	cmd := &cobra.Command{
		Use: "network", Short: "Make and show networks",
		Example: "  netget-ca network create production\n  netget-ca network list",
	}
	cmd.AddCommand(c.networkCreate(), c.networkList(), c.networkShow())
	return cmd
}

func (c *commands) networkCreate() *cobra.Command {
	var e extras
	var leafLife time.Duration
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a network with its own root", Args: cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  netget-ca network create production\n" +
			"  netget-ca network create staging --leaf-life 1h --dns staging.example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := networkConfig(args[0], leafLife, e)
			if err != nil {
				return err
			}
			a, err := c.authority()
			if err != nil {
				return err
			}
			made, err := a.CreateNetwork(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return c.Printer().Print(network{made})
		},
	}
	cmd.Flags().DurationVar(&leafLife, "leaf-life", 24*time.Hour, "life of nodes' certificates, 5m to 168h")
	e.define(cmd)
	return cmd
}

func networkConfig(name string, leafLife time.Duration, e extras) (pki.NetworkConfig, error) {
	cfg := pki.NetworkConfig{Network: identity.FoldName(name), LeafLife: leafLife}
	if err := checkNetwork(cfg.Network, identity.DefaultDomain); err != nil {
		return cfg, err
	}
	if e.dns == nil && e.ips == nil {
		return cfg, nil // those given to init
	}
	parsed, err := pki.ParseExtras(e.dns, e.ips)
	cfg.Extras = &parsed
	return cfg, authority.Explain(err)
}

func (c *commands) networkList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the networks", Args: cobra.NoArgs,
		Example: "  netget-ca network list -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.authority()
			if err != nil {
				return err
			}
			list, err := a.Networks(cmd.Context())
			if err != nil {
				return err
			}
			return c.Printer().Print(networks{list})
		},
	}
}

func (c *commands) networkShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a network", Args: cobra.ExactArgs(1),
		ValidArgsFunction: firstArgument(c.Complete(c.networkNames)),
		Example:           "  netget-ca network show production -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.authority()
			if err != nil {
				return err
			}
			shown, err := a.Network(cmd.Context(), identity.FoldName(args[0]))
			if err != nil {
				return err
			}
			return c.Printer().Print(network{shown})
		},
	}
}

// firstArgument completes the first argument and no other.
func firstArgument(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, toComplete)
	}
}
