package command

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// status is what status prints.
type status struct{ netget.Status }

// Names returns the identity.
func (s status) Names() []string { return []string{s.Identity.ID.String()} }

// Table returns what people see.
func (s status) Table() cli.Table {
	t := cli.Table{Rows: [][]string{
		{"identity", s.Identity.ID.String()},
		{"type", s.Identity.Type},
		{"folder", s.Identity.Dir},
		{"certificate", fmt.Sprintf("%s, until %s, renewed from %s", s.Identity.State, clock(s.Identity.NotAfter), clock(s.Identity.RenewAt))},
	}}
	for _, r := range s.Registries {
		t.Rows = append(t.Rows, []string{"registry", r.URL + ": " + reach(r)})
	}
	if r := s.Registration; r != nil {
		t.Rows = append(t.Rows, []string{"registration", fmt.Sprintf("%s, %s, until %s", places(r.Endpoints), activity(*r), clock(r.ExpiresAt))})
	} else {
		t.Rows = append(t.Rows, []string{"registration", "none"})
	}
	for _, p := range s.Problems {
		t.Rows = append(t.Rows, []string{"problem", p})
	}
	return t
}

func reach(r netget.RegistryStatus) string {
	if !r.Reachable {
		return fmt.Sprintf("%s (%s)", r.Code, r.Message)
	}
	text := r.ID.Label() + ", version " + strconv.FormatInt(r.Version, 10)
	if r.ClockOffsetMS != 0 {
		text += fmt.Sprintf(", its clock is off ours by %d ms", r.ClockOffsetMS)
	}
	return text
}

func activity(n netget.ServiceNode) string {
	if n.Active {
		return "active"
	}
	return "not active: " + n.Reason
}

func (c *commands) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how this node stands", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Status shows the certificate, the registries and what they hold of this node. The\n" +
			"exit code is 0 when the certificate is valid and a registry answers, 4 when it is\n" +
			"expired or revoked, 5 when no registry answers.",
		Example: "  netget-client status\n  netget-client status --identity ./db-1 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			s, err := node.Status(cmd.Context())
			if err != nil {
				return explain(err)
			}
			if err := c.Printer().Print(status{s}); err != nil {
				return err
			}
			return judge(s)
		},
	}
}

// judge tells whether a node is as it should be.
func judge(s netget.Status) error {
	if state := s.Identity.State; state == "expired" || state == "revoked" {
		return cli.Hint(cli.Fail(cli.ExitDenied, "the certificate of %s is %s", s.Identity.ID, state),
			"enrol anew with a new join token: 'netget-client enroll TOKEN --force'")
	}
	for _, r := range s.Registries {
		if r.Reachable {
			return nil
		}
	}
	if len(s.Registries) == 0 {
		return cli.Hint(cli.Fail(cli.ExitUnavailable, "no registry is known"), "start a registry that is enrolled in this network, or name one with --registry https://HOST:PORT")
	}
	return cli.Hint(cli.Fail(cli.ExitUnavailable, "none of %d registries answers as it should", len(s.Registries)),
		"check that a registry runs and that the network reaches it")
}
