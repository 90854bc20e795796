// Package cli is what the programs of netget share: flags and where their
// values come from, folders, outputs, errors with exit codes and hints, the
// ready line. docs/cli.md describes it for users. A program looks like this:
//
//	func main() {
//		signals := make(chan os.Signal, 2)
//		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
//		ctx, stop := cli.Signals(context.Background(), signals, os.Exit)
//		process, err := cli.System()
//		…
//		program := cli.New(process, cli.Config{Name: "netget-ca", Folder: "ca"})
//		program.Root.AddCommand(…)
//		code := program.Run(ctx)
//		stop()
//		os.Exit(code)
//	}
package cli
