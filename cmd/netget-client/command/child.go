package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/neurons-me/netget/internal/cli"
)

// signalled is added to the number of the signal that ended a command, as
// shells do.
const signalled = 128

// takeSignals hands to the command what would end us: from here on it is the
// command that decides what a signal means, so a second one ends nothing but
// what the command lets it. The function returned stops that.
func takeSignals() (signals chan os.Signal, stop func()) {
	signal.Reset(passedOn()...)
	signals = make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	return signals, func() { signal.Stop(signals) }
}

// passedOn are the signals that a command gets from us.
func passedOn() []os.Signal {
	return []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	}
}

// runCommand runs a command of the user's with our streams and our environment,
// but for what is secret in it, and p passes signals on to it, each of them once,
// until it ends. The code is its exit code, or 128 and the signal that ended it.
//
// At a terminal the command stays in our process group, where the keyboard's
// signals reach both of us, and job control works. Anywhere else it gets a
// group of its own, so that a signal to our group reaches it only through us.
func runCommand(ctx context.Context, process cli.Process, p *passing, path string, argv []string) (code int, err error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, argv[1:]...) //nolint:gosec // it is the user's command
	cmd.Args[0] = argv[0]
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = process.ChildEnv(), process.Stdin, process.Stdout, process.Stderr
	shared := atTerminal(process.Stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !shared}

	if err := process.StartChild(cmd.Start); err != nil {
		return 0, err
	}
	p.pid, p.shared = cmd.Process.Pid, shared
	done := make(chan struct{})
	var handing sync.WaitGroup
	handing.Go(func() { p.run(ctx, done) })
	err = cmd.Wait()
	close(done)
	handing.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return 0, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// fromKeyboard reports whether the terminal sends the signal to the whole group.
func fromKeyboard(s syscall.Signal) bool { return s == syscall.SIGINT || s == syscall.SIGQUIT }

// atTerminal reports whether stdin is a terminal whose keyboard signals go to
// our process group.
func atTerminal(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	if !ok {
		return false
	}
	group, err := unix.IoctlGetInt(int(file.Fd()), unix.TIOCGPGRP)
	return err == nil && group == syscall.Getpgrp()
}
