package command

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/enrolment"
)

func (c *commands) enroll() *cobra.Command {
	var j enrolment.Join
	cmd := &cobra.Command{
		Use: "enroll TOKEN", Short: "Spend a join token and write the identity folder", Args: cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Enroll makes new keys, has them certified by the authority that the token names,\n" +
			"and writes the identity folder. A token works once and for a short time.\n\n" +
			"TOKEN is the token itself, @FILE, or - for standard input.",
		Example: "  netget-client enroll eyJhbGciOi…\n" +
			"  netget-ca token databaseservice db-1 | netget-client enroll - --identity ./db-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if j.Token, err = c.Process.ReadToken(args[0]); err != nil {
				return err
			}
			if j.Dir, err = c.dir(); err != nil {
				return err
			}
			j.Logger = c.quiet()
			made, err := enrolment.Spend(cmd.Context(), j)
			j.Token, args[0] = "", ""
			if err != nil {
				return err
			}
			return c.Printer().Print(made)
		},
	}
	cmd.Flags().BoolVar(&j.Force, "force", false, "replace the identity that the folder holds")
	cmd.Flags().BoolVar(&j.Ed25519, "ed25519", false, "make an Ed25519 key instead of ECDSA P-256")
	return cmd
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
