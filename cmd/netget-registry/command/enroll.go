package command

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/enrolment"
	"github.com/neurons-me/netget/internal/cli"
)

func newEnroll(p *cli.Program) *cobra.Command {
	j := enrolment.Join{Registry: true}
	var audit string
	cmd := &cobra.Command{
		Use:   "enroll TOKEN",
		Short: "make this machine a registry of a network, by a join token",
		Long: "The token comes from 'netget-ca token registry NAME'. TOKEN may be - (read from\n" +
			"standard input) or @FILE.",
		Example: "  netget-registry enroll @token.txt\n" +
			"  netget-ca token registry registry-1 --network production | netget-registry enroll - --identity /etc/netget/production",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			if j.Dir == "" {
				j.Dir = defaultIdentity(home)
			}
			file, err := auditlog.File(audit, home.Registry())
			if err != nil {
				return err
			}
			if j.Token, err = p.Process.ReadToken(args[0]); err != nil {
				return err
			}
			made, err := enrolment.Spend(cmd.Context(), j)
			j.Token, args[0] = "", ""
			if err != nil {
				return err
			}
			if err := noteEnrolled(file, made.ID, made.NotAfter, p.Process.Now()); err != nil {
				p.Logger().LogAttrs(cmd.Context(), slog.LevelWarn, "enrolled, but not noted", slog.Any("error", err))
			}
			return p.Printer().Print(made)
		},
	}
	cmd.Flags().StringVar(&j.Dir, "identity", "", "folder for the identity (default: identity in the registry's folder of the home)")
	auditlog.Flag(cmd.Flags(), &audit)
	cmd.Flags().BoolVar(&j.Force, "force", false, "replace an identity that the folder holds")
	return cmd
}
