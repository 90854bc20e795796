package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

// options are the flags of the command.
type options struct {
	since, until              string
	events                    []string
	node, actor, rid, network string
	code                      string
	follow                    bool
	last                      int
}

// Command returns the command audit of a program, with a flag --audit of its
// own; folder is the program's in a home.
func Command(p *cli.Program, folder func(cli.Home) string) *cobra.Command {
	file := new(string)
	cmd := Reader(p, file, folder)
	Flag(cmd.Flags(), file)
	return cmd
}

// Reader is [Command] for a program that has the flag --audit already, with its
// value in file.
func Reader(p *cli.Program, file *string, folder func(cli.Home) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "audit", Short: "Show who did what, and what was refused", Args: cobra.NoArgs,
		Long: "Audit reads the audit log, oldest entry first, with what was put aside of it. It\n" +
			"needs no server, and works beside one. --follow goes on with what comes, one entry\n" +
			"a line, until it is stopped.",
		Example: fmt.Sprintf("  %[1]s audit --since 1h\n  %[1]s audit --event statement-refused --event request-refused --node db-1\n"+
			"  %[1]s audit --actor 192.0.2.7 -n 20 -o json\n  %[1]s audit --follow -o json", p.Root.Name()),
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			path, err := File(*file, folder(home))
			if err != nil {
				return err
			}
			return run(cmd.Context(), p, o, path)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.since, "since", "", "no entries before this: how long ago (90m), or a time (2006-01-02T15:04:05Z)")
	flags.StringVar(&o.until, "until", "", "only entries before this, in the same form")
	flags.StringArrayVar(&o.events, "event", nil, "only this event; may be repeated")
	flags.StringVar(&o.node, "node", "", "only entries about this node: its label, service/label or identity")
	flags.StringVar(&o.actor, "actor", "", "only what this identity did, or what came from this address")
	flags.StringVar(&o.rid, "rid", "", "only entries about this record or tombstone")
	flags.StringVar(&o.network, "network", "", "only entries of this network")
	flags.StringVar(&o.code, "code", "", "only refusals of this class")
	flags.BoolVar(&o.follow, "follow", false, "go on with what comes")
	flags.IntVarP(&o.last, "last", "n", 0, "only so many, the last ones (default: all)")
	if err := cmd.RegisterFlagCompletionFunc("event", cobra.FixedCompletions(eventNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // it was defined just before
	}
	return cmd
}

func run(ctx context.Context, p *cli.Program, o options, file string) error {
	if file == "" {
		return cli.Usage("--audit is off: there is nothing to read")
	}
	if o.last < 0 {
		return cli.Usage("-n: %d is negative", o.last)
	}
	f, err := o.filter(p)
	if err != nil {
		return err
	}
	r := &reading{printer: p.Printer(), filter: f, last: o.last, warn: warning(p)}
	read := r.past
	if o.follow {
		read = r.follow
	}
	err = read(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(cli.Fail(cli.ExitNotFound, "there is no audit log at %s", file),
			"it begins when the server first runs; name its --home, or the file with --audit")
	}
	return err
}

// warning prints what is odd, beside the output.
func warning(p *cli.Program) func(audit.Skipped) {
	return func(s audit.Skipped) {
		_, _ = fmt.Fprintf(p.Process.Stderr, "warning: %s\n", s) // there is nobody else to tell
	}
}

func (o options) filter(p *cli.Program) (f filter, err error) {
	f = filter{node: strings.ToLower(o.node), actor: strings.ToLower(o.actor), rid: o.rid, network: identity.FoldName(o.network), code: identity.Code(o.code)}
	if f.since, err = cli.Moment("since", o.since, p.Process.Now()); err != nil {
		return f, err
	}
	if f.until, err = cli.Moment("until", o.until, p.Process.Now()); err != nil {
		return f, err
	}
	f.events, err = events(o.events)
	return f, err
}
