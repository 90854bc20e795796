package command

import (
	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/enrolment"
	"github.com/neurons-me/netget/identity"
)

func (c *commands) enroll() *cobra.Command {
	var who authority.Applicant
	var out string
	var force bool
	cmd := &cobra.Command{
		Use: "enroll SERVICE NODE --out DIR", Short: "Make the identity of a node without a token", Args: cobra.ExactArgs(2),
		ValidArgsFunction: firstArgument(cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)),
		Long: "Enroll writes a complete identity folder, keys included, for whoever holds the\n" +
			"authority's home. It needs no network and no running server.",
		Example: "  netget-ca enroll databaseservice db-1 --network production --out ./db-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			who.Network = identity.FoldName(who.Network)
			who.Service, who.Node = identity.FoldName(args[0]), identity.FoldName(args[1])
			if err := checkNode(who.Service, who.Node); err != nil {
				return err
			}
			a, err := c.authority()
			if err != nil {
				return err
			}
			made, err := a.Enroll(cmd.Context(), who, identity.NewFolder(out), force)
			if err != nil {
				return err
			}
			return c.Printer().Print(enrolment.Describe(made, out))
		},
	}
	c.networkFlag(cmd, &who.Network, "the only one")
	cmd.Flags().StringVar(&out, "out", "", "identity folder to write")
	cmd.Flags().BoolVar(&force, "force", false, "replace the identity that the folder holds")
	mustHave(cmd, "out")
	return cmd
}

// mustHave requires a flag that was defined just before.
func mustHave(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err)
	}
}
