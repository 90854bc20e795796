package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// stopPatience is for how long a command that was told to end is waited for. It
// leaves a second of the ten that docs/cli.md promises.
const stopPatience = 9 * time.Second

// Run runs the command that the arguments name and returns the exit code.
// Errors are printed to standard error in two lines, "error: …" and "hint: …",
// or with -o json in one line. When ctx ends and the command could not finish
// because of it, the code is 130.
//
// A command that does not come back although ctx has ended is left behind, to
// end with the process: nothing else ends the opening or reading of a pipe. Those
// that have announced themselves take their own time.
func (p *Program) Run(ctx context.Context) int {
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx) }()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
	}
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case code := <-ended:
		return code
	case <-patience.C:
	}
	if p.lasts.Load() {
		return <-ended
	}
	asJSON := p.Process.Getenv(EnvName("output")) == FormatJSON || typedJSON(p.Process.Args)
	_ = writeReport(p.Process.Stderr, Explain(Fail(ExitInterrupted, "interrupted")), asJSON) // the code says it too
	return ExitInterrupted
}

func (p *Program) run(ctx context.Context) int {
	started := p.prepare()
	cmd, err := p.Root.ExecuteContextC(ctx)
	if err == nil {
		err = p.help.failed()
	}
	if err == nil {
		return ExitOK
	}
	if status, ok := errors.AsType[StatusError](err); ok {
		return int(status)
	}
	report := Explain(p.asUsage(cmd, err, *started))
	if ctx.Err() != nil && cutShort(report.Exit) {
		report = Explain(Fail(ExitInterrupted, "interrupted"))
	}
	if err := writeReport(p.Process.Stderr, report, p.wantsJSON()); err != nil && report.Exit == ExitOK {
		return ExitFailure
	}
	return report.Exit
}

// cutShort reports whether an exit code may be due to the end of the context:
// an answer that was not waited for looks like one that did not come.
func cutShort(exit int) bool { return exit == ExitInterrupted || exit == ExitUnavailable }

// Stopped returns nil if err only says that ctx ended, else err: for
// long-running commands, which end well when they are told to end.
func Stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// prepare wires the process into the commands. The value that it returns is
// true once a command of ours runs: errors before that are cobra's.
func (p *Program) prepare() *bool {
	started := new(bool)
	p.Root.SetArgs(append([]string{}, p.Process.Args...)) // never nil, which means os.Args
	p.Root.SetIn(p.Process.Stdin)
	p.help.w = p.Process.Stdout
	p.Root.SetOut(&p.help)
	p.Root.SetErr(p.Process.Stderr)
	if p.Root.RunE == nil {
		p.Root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, cmd := range p.Root.Commands() {
		prepare(cmd, started)
	}
	return started
}

func prepare(cmd *cobra.Command, started *bool) {
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = missingCommand
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, started)
	}
}

// missingCommand is what a command does that only has sub-commands.
func missingCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	hint := fmt.Sprintf("use one of: %s", strings.Join(names, ", "))
	if len(args) > 0 {
		return Hint(Usage("unknown command %q for %q", args[0], cmd.CommandPath()), "%s", hint)
	}
	return Hint(Usage("%q needs a command", cmd.CommandPath()), "%s", hint)
}

// asUsage turns cobra's own errors into usage errors.
func (p *Program) asUsage(cmd *cobra.Command, err error, started bool) error {
	if _, ok := errors.AsType[*Error](err); ok || started || folderHint(err) != "" {
		return err
	}
	if failed := p.help.failed(); failed != nil {
		return failed
	}
	first, _, _ := strings.Cut(err.Error(), "\n") // suggestions come on lines of their own
	hint := fmt.Sprintf("run '%s --help'", cmd.CommandPath())
	arg := cmd.Flags().Arg(0) // "" where the flags did not parse; every command begins so
	if near := cmd.SuggestionsFor(arg); arg != "" && len(near) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'? %s", cmd.CommandPath(), near[0], hint)
	}
	return Hint(&Error{Code: "usage", Exit: ExitUsage, Err: errors.New(first)}, "%s", hint)
}

// wantsJSON reports whether errors are wanted as JSON. When the flags could
// not be parsed, the arguments themselves are looked at.
func (p *Program) wantsJSON() bool {
	if p.output == FormatJSON || !p.Root.PersistentFlags().Changed("output") && p.Process.Getenv(EnvName("output")) == FormatJSON {
		return true
	}
	return typedJSON(p.Process.Args)
}

func typedJSON(args []string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	for i, arg := range args {
		switch arg {
		case "-ojson", "-o=json", "--output=json":
			return true
		case "-o", "--output":
			return i+1 < len(args) && args[i+1] == FormatJSON
		}
	}
	return false
}

// writeReport prints an error for a person or as one line of JSON.
func writeReport(w io.Writer, r Report, asJSON bool) error {
	var text bytes.Buffer
	if !asJSON {
		fmt.Fprintf(&text, "error: %s\nhint: %s\n", r.Message, r.Hint)
	} else {
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]Report{"error": r}); err != nil {
			return fmt.Errorf("encoding the error: %w", err)
		}
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the error: %w", err)
	}
	return nil
}
