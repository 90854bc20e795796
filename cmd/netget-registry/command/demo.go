package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/internal/cli"
)

// demoTimeout ends a demo that hangs.
const demoTimeout = time.Minute

// A demoStep is one thing that the demo has shown.
type demoStep struct {
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`
	Proved string    `json:"proved"`
}

// demoResult is what demo prints with -o json, yaml and name.
type demoResult struct {
	OK    bool       `json:"ok"`
	Steps []demoStep `json:"steps"`
}

// Names returns what was proved.
func (r demoResult) Names() []string {
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Proved)
	}
	return names
}

// A demo tells what happens, line by line, and stops at the first step that
// does not hold.
type demo struct {
	out   io.Writer // nil: the steps are printed at the end
	steps []demoStep
}

// proved notes a step.
func (d *demo) proved(actor, format string, args ...any) {
	s := demoStep{Time: time.Now(), Actor: actor, Proved: fmt.Sprintf(format, args...)}
	d.steps = append(d.steps, s)
	if d.out != nil {
		_, _ = fmt.Fprintf(d.out, "%s  %-11s %s\n", s.Time.Format("15:04:05.000"), s.Actor, s.Proved) // a closed pipe does not end the demo
	}
}

func newDemo(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "show in one process what netget promises",
		Long: "A certificate authority with two networks, two registries and three nodes are\n" +
			"started on loopback in a temporary folder. Then somebody forges, alters, hides and\n" +
			"goes back in time, and is refused each time. The demo ends by itself, with exit code\n" +
			"0 only if every step was verified.",
		Example: "  netget-registry demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{}
			if p.Output() == cli.FormatTable {
				d.out = p.Process.Stdout
			}
			logger := slog.New(slog.DiscardHandler)
			if cmd.Flags().Changed("log-level") {
				logger = p.Logger()
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoTimeout)
			defer cancel()
			if err := d.run(ctx, logger); err != nil {
				return cli.Hint(fmt.Errorf("the demo failed after %d steps: %w", len(d.steps), err), "run it again with --log-level debug to see what its programs say")
			}
			if d.out != nil {
				return nil
			}
			return p.Printer().Print(demoResult{OK: true, Steps: d.steps})
		},
	}
}

// run plays the whole demo in a folder that is removed afterwards.
func (d *demo) run(ctx context.Context, logger *slog.Logger) (err error) {
	dir, err := os.MkdirTemp("", "netget-demo-")
	if err != nil {
		return err
	}
	defer func() { err = joinUnlessNil(err, os.RemoveAll(dir)) }()
	w, err := newDemoWorld(ctx, d, dir, logger)
	if err != nil {
		return err
	}
	defer func() { err = joinUnlessNil(err, w.close()) }()
	for _, act := range []func(context.Context) error{
		w.enroll, w.register, w.discover,
		w.forgeRecord, w.alterAnswer, w.hideNode, w.rollBack, w.mixNetworks,
		w.crash,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	d.proved("everybody", "all %d steps were verified", len(d.steps))
	return nil
}

// joinUnlessNil keeps the first error: what fails after it is its consequence.
func joinUnlessNil(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
