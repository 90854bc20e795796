package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// found is what discover prints.
type found struct{ *netget.Discovery }

// Names returns the identities.
func (f found) Names() []string {
	var names []string
	for _, n := range f.Nodes {
		names = append(names, n.ID.String())
	}
	return names
}

// Table returns what people see.
func (f found) Table() cli.Table { return nodeTable(f.Nodes, f.Stale) }

func (c *commands) discover() *cobra.Command {
	var all bool
	var save string
	cmd := &cobra.Command{
		Use: "discover SERVICE", Short: "Find the nodes of a service", Args: cobra.ExactArgs(1),
		ValidArgsFunction: c.completeService,
		Long: "Discover asks all registries for the nodes of a service and prints what they\n" +
			"verifiably say: by default the active nodes, which may be used now.\n\n" +
			"Without any the exit code is 3, and with no answer that can be verified 5 or 6.",
		Example: "  netget-client discover databaseservice\n" +
			"  netget-client discover databaseservice --all -o json\n" +
			"  netget-client discover databaseservice --save answer.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			service, err := serviceName(args[0])
			if err != nil {
				return err
			}
			opts, err := c.options()
			if err != nil {
				return err
			}
			if opts.KeepAnswers = save != ""; opts.KeepAnswers {
				if err := saved(identity.CheckReplaceable(save)); err != nil {
					return err
				}
			}
			node := netget.New(opts)
			defer func() { _ = node.Close() }() // it holds no registration
			d, err := node.Discover(cmd.Context(), service)
			if err != nil {
				return explain(err)
			}
			if save != "" {
				if err := saved(identity.ReplaceFile(save, d.Answer(), 0o644)); err != nil {
					return err
				}
			}
			return c.printFound(d, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also the nodes that are not active, with the reason")
	cmd.Flags().StringVar(&save, "save", "", "write the answer of a registry to this file as it was sent, for 'verify'; a regular file that exists is replaced, nothing else is")
	return cmd
}

// saved says what kept an answer from its file.
func saved(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, identity.ErrNotRegular) { // it has a hint of its own
		return cli.Usage("--save: %w", err)
	}
	return cli.Hint(cli.Fail(cli.ExitFailure, "saving the answer: %w", err), "check the path after --save")
}

// printFound prints the nodes, and reports that there are none.
func (c *commands) printFound(d *netget.Discovery, all bool) error {
	listed := len(d.Nodes) + len(d.LeftOut)
	if !all {
		d.Nodes = slices.DeleteFunc(d.Nodes, func(n netget.ServiceNode) bool { return !n.Active })
	}
	if err := c.Printer().Print(found{d}); err != nil || len(d.Nodes) > 0 {
		return err
	}
	switch {
	case !d.Found:
		return cli.Hint(cli.Fail(cli.ExitNotFound, "there is no service %q in %s", d.Service, d.Network),
			"check the name; 'netget-client services' lists what is registered")
	case all:
		return cli.Hint(cli.Fail(cli.ExitNotFound, "no record of %q can be used: %s", d.Service, leftOut(d.LeftOut)), "ask whoever runs these nodes, or the operator of the network")
	}
	return cli.Hint(cli.Fail(cli.ExitNotFound, "none of the %d nodes of %q is active", listed, d.Service),
		"'netget-client discover %s --all' shows why", d.Service)
}

func leftOut(list []netget.LeftOut) string {
	var words []string
	for _, l := range list {
		words = append(words, fmt.Sprintf("%s (%s)", l.ID, l.Code))
	}
	return strings.Join(words, ", ")
}
