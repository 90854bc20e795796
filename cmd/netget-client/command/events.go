package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// events are what events prints.
type events struct{ *netget.Events }

// Names returns whom they are about.
func (e events) Names() []string {
	var names []string
	for _, each := range e.Events.Events {
		names = append(names, subject(each))
	}
	return names
}

// Table returns what people see.
func (e events) Table() cli.Table {
	t := cli.Table{Header: []string{"TIME", "NODE", "FROM", "TO", "REASON", "EVIDENCE"}, Colour: standingColour}
	for _, each := range e.Events.Events {
		t.Rows = append(t.Rows, eventRow(each))
	}
	return t
}

// event is one that is printed by itself.
type event struct{ netget.Event }

// Names returns whom it is about.
func (e event) Names() []string { return []string{subject(e.Event)} }

// Table returns what people see.
func (e event) Table() cli.Table {
	return cli.Table{Rows: [][]string{eventRow(e.Event)}, Colour: standingColour}
}

func eventRow(e netget.Event) []string {
	reason := e.Reason
	if e.Disputed {
		reason += ", disputed"
	}
	node := "-"
	if !e.Node.IsZero() {
		node = e.Node.Service() + "/" + e.Node.Label()
	}
	return []string{clock(e.Time), node, orDash(e.From.String()), orDash(e.To.String()), reason, orDash(e.Evidence)}
}

// standingColour colours what a node was and is.
func standingColour(column int, cell string) cli.Colour {
	const fromColumn, toColumn = 2, 3
	if column != fromColumn && column != toColumn {
		return cli.Plain
	}
	switch cell {
	case "up":
		return cli.Green
	case "suspect":
		return cli.Yellow
	case "down":
		return cli.Red
	}
	return cli.Plain
}

// subject names the node, or the network.
func subject(e netget.Event) string { return orDash(e.Node.String()) }

// eventOptions are the flags of events.
type eventOptions struct {
	since  string
	follow bool
}

func (c *commands) events() *cobra.Command {
	var o eventOptions
	cmd := &cobra.Command{
		Use: "events [SERVICE [NODE]]", Short: "Show what a registry has noticed of nodes", Args: cobra.MaximumNArgs(2),
		ValidArgsFunction: c.completeNode,
		Long: "Events shows how a registry's view of nodes has changed, and why: oldest first, the\n" +
			"newest 100, or all since a moment. --follow goes on with what comes, one event a\n" +
			"line, until it is stopped, also after the registry was away.\n\n" +
			"An operator sees all nodes, a node itself. It is the word of one registry, the first\n" +
			"that answers: unlike what discover shows, nothing of it is signed or proven.",
		Example: "  netget-client events --identity ./olga --follow\n" +
			"  netget-client events databaseservice db-1 --since 1h -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := c.eventFilter(o, args)
			if err != nil {
				return err
			}
			node, err := c.open()
			if err != nil {
				return err
			}
			defer func() { _ = node.Close() }() // it holds no registration
			if o.follow {
				return explain(c.followEvents(cmd.Context(), node, filter))
			}
			list, err := node.Events(cmd.Context(), filter)
			if err != nil {
				return explain(err)
			}
			return c.Printer().Print(events{list})
		},
	}
	cmd.Flags().StringVar(&o.since, "since", "", "all events since this: how long ago (90m), or a time (2006-01-02T15:04:05Z)")
	cmd.Flags().BoolVar(&o.follow, "follow", false, "go on with what comes")
	c.complete(cmd, "since", cobra.NoFileCompletions)
	return cmd
}

func (c *commands) eventFilter(o eventOptions, args []string) (f netget.EventFilter, err error) {
	if f.Since, err = cli.Moment("since", o.since, c.Process.Now()); err != nil {
		return f, err
	}
	switch len(args) {
	case 1:
		f.Service, err = serviceName(args[0])
	case 2:
		f.Service, f.Node, err = nodeName(args[0], args[1])
	}
	return f, err
}

func (c *commands) followEvents(ctx context.Context, node *netget.Node, f netget.EventFilter) error {
	printer := c.Printer()
	return node.FollowEvents(ctx, f, func(e netget.Event) error { return printer.PrintLine(event{e}) })
}
