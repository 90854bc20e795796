package command

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
)

// turned is what drain and undrain print: the record that says so, and who has it.
type turned struct{ netget.Registration }

// Names returns the identity.
func (t turned) Names() []string { return []string{t.ID.String()} }

// Table returns what people see.
func (t turned) Table() cli.Table {
	return cli.Table{
		Header: []string{"ID", "STATE", "EXPIRES", "ACCEPTED", "NOT ACCEPTED"},
		Rows:   [][]string{{t.ID.String(), string(t.State), clock(t.ExpiresAt), urls(t.Accepted), problems(t.Errors)}},
	}
}

func (c *commands) drain() *cobra.Command {
	return &cobra.Command{
		Use: "drain", Short: "Let nobody new use the node", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Drain makes the node known as draining: others no longer choose it, and what uses it\n" +
			"goes on. It tells the 'register' that runs with this identity, which stays draining\n" +
			"until 'undrain' or its end. Where none runs it signs the next record of what the\n" +
			"registries list, which ends when that would have, and lives until then, at most an\n" +
			"hour, without heartbeats. A program of yours that uses the SDK drains by itself.",
		Example: "  netget-client drain\n  netget-client drain --identity ./db-1 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.turn(cmd.Context(), drainRoute, (*netget.Node).DrainOnce)
		},
	}
}

func (c *commands) undrain() *cobra.Command {
	return &cobra.Command{
		Use: "undrain", Short: "Take 'drain' back", Args: cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Undrain makes a draining node known as active again: by the 'register' that runs with\n" +
			"this identity, or else by the next record of what the registries list.",
		Example: "  netget-client undrain\n  netget-client undrain --identity ./db-1 -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.turn(cmd.Context(), undrainRoute, (*netget.Node).UndrainOnce)
		},
	}
}

// turn asks the running register, or else does it by itself.
func (c *commands) turn(ctx context.Context, route string, once func(*netget.Node, context.Context) (netget.Registration, error)) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	var r netget.Registration
	err = admin.NewClient(filepath.Join(dir, socketFile)).Call(ctx, route, struct{}{}, &r)
	if errors.Is(err, admin.ErrNobody) {
		r, err = c.turnOnce(ctx, once)
	}
	if err != nil {
		return err
	}
	return c.Printer().Print(turned{r})
}

func (c *commands) turnOnce(ctx context.Context, once func(*netget.Node, context.Context) (netget.Registration, error)) (netget.Registration, error) {
	node, err := c.open()
	if err != nil {
		return netget.Registration{}, err
	}
	defer func() { _ = node.Close() }() // it holds no registration
	r, err := once(node, ctx)
	return r, explain(err)
}
