package command

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

// roles are the services that make a node something else than a service node.
func roles() []string { return []string{"registry", "client", "operator"} }

// tokenOptions are the flags of token.
type tokenOptions struct {
	network string
	ttl     time.Duration
	urls    []string
}

func (c *commands) token() *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "token SERVICE [NODE] | registry NAME | client NAME | operator NAME",
		Short: "Make a join token for one node", Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: firstArgument(cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)),
		Long: "Token prints a join token: all that a new machine needs to enrol as one node, once.\n" +
			"Without NODE the node of a service is named after it, with eight random digits.",
		Example: "  netget-ca token databaseservice db-1\n" +
			"  netget-ca token registry r1 --url https://127.0.0.1:8438\n" +
			"  netget-ca token client laptop --network production --ttl 1h -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := o.request(args, cmd.Flags().Changed("url"))
			if err != nil {
				return err
			}
			a, err := c.authority()
			if err != nil {
				return err
			}
			made, err := a.Token(cmd.Context(), request)
			if err != nil {
				return err
			}
			return c.Printer().Print(token{made})
		},
	}
	c.networkFlag(cmd, &o.network, "the only one")
	cmd.Flags().DurationVar(&o.ttl, "ttl", 10*time.Minute, "for how long the token can be used, at most 24h")
	cmd.Flags().StringArrayVar(&o.urls, "url", []string{"https://127.0.0.1:8438"}, "address of the registry; may be repeated")
	return cmd
}

func (o tokenOptions) request(args []string, urlGiven bool) (pki.TokenRequest, error) {
	r := pki.TokenRequest{Network: identity.FoldName(o.network), Service: identity.FoldName(args[0]), TTL: o.ttl}
	if len(args) == 2 {
		r.Node = identity.FoldName(args[1])
	}
	if len(args) == 1 && slices.Contains(roles(), r.Service) {
		return r, cli.Hint(cli.Usage("a %s needs a name", r.Service), "give it one: netget-ca token %s NAME", r.Service)
	}
	if err := checkNode(r.Service, r.Node); err != nil {
		return r, err
	}
	if o.ttl < time.Second || o.ttl > 24*time.Hour {
		return r, cli.Hint(cli.Usage("--ttl: %s is not between 1s and 24h", o.ttl), "tokens are for the next minutes: leave --ttl out")
	}
	if r.Service == "registry" {
		r.Addresses = o.urls
		return r, nil
	}
	if urlGiven {
		return r, cli.Hint(cli.Usage("--url: only a registry has an address that others look up here"), "leave --url out")
	}
	return r, nil
}
