// Package program runs a program as the operating system does: from the
// process that was started, with its signals, to its exit code.
//
// The commands of each program live in a package of their own below it, such as
// cmd/netget-ca/command, so that the scripts of all programs can start them as
// real processes.
package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/neurons-me/netget/internal/cli"
)

// Main runs the program that build makes and ends the process with its exit
// code. The first SIGINT or SIGTERM ends the program's context, the second one
// the process, at once and with code 130.
func Main(build func(cli.Process) *cli.Program) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, stop := cli.Signals(context.Background(), signals, os.Exit)
	code := run(ctx, build)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, build func(cli.Process) *cli.Program) int {
	process, err := cli.System()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "error: %v\nhint: the system does not let this program protect its keys\n", err)
		return cli.ExitFailure
	}
	return build(process).Run(ctx)
}
