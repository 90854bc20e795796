package scripttest

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/neurons-me/netget/internal/testport"
)

// processes are the long-running commands of one script.
type processes struct{ byName map[string]*process }

type processesKey struct{}

// A process is a command that a script has started.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan struct{} // closed when it has ended
	err            error         // of its end; read after done
}

// kill ends what a script has left behind.
func (all *processes) kill() {
	for _, p := range all.byName {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	}
}

// start starts a command and waits until it says that it is ready.
func start(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "start NAME COMMAND…")
	name := args[0]
	all := running(ts)
	if old := all.byName[name]; old != nil {
		select {
		case <-old.done:
		default:
			ts.Fatalf("%s is running already", name)
		}
	}
	lines := make(chan string, 1)
	p := launch(ts, args[1:], lines)
	all.byName[name] = p
	select {
	case line := <-lines:
		announce(ts, name, line)
	case <-p.done:
		p.save(ts, name)
		ts.Fatalf("%s ended before it was ready (%v)\n[stdout]\n%s[stderr]\n%s", name, p.err, p.stdout, p.stderr)
	case <-time.After(patience):
		ts.Fatalf("%s is not ready after %s\n[stderr]\n%s", name, patience, p.stderr)
	}
}

// launch starts a command; its ready line is sent to lines.
func launch(ts *testscript.TestScript, args []string, lines chan<- string) *process {
	environment := environment(ts)
	path, err := lookPath(args[0], ts.Getenv("PATH"))
	ts.Check(err)
	p := &process{
		cmd:    exec.CommandContext(contextOf(ts), path, args[1:]...), //nolint:gosec // what the script says
		stdout: &output{ready: lines}, stderr: &output{ready: lines},
		done: make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environment
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.WaitDelay = patience // for children that keep its output open
	ts.Check(p.cmd.Start())
	go func() { // kill waits for it when the script ends
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

// sendSignal sends a signal and does not wait.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "signal NAME INT|TERM|HUP|KILL")
	signals := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	s, ok := signals[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(started(ts, args[0]).cmd.Process.Signal(s))
}

// ended waits for the end of a process.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "ended NAME CODE")
	p := started(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s has not ended after %s\n[stderr]\n%s", args[0], patience, p.stderr)
	}
	hold(ts, ts.Getenv(args[0]))
	p.save(ts, args[0])
	if _, ok := errors.AsType[*exec.ExitError](p.err); p.err != nil && !ok {
		ts.Fatalf("waiting for %s: %v", args[0], p.err)
	}
	if got, want := p.cmd.ProcessState.ExitCode(), number(ts, args[1]); got != want {
		ts.Fatalf("%s: exit code %d, want %d\n[stderr]\n%s", args[0], got, want, p.stderr)
	}
}

// hold keeps the port of a server that has ended until the script ends, so that the
// script may start it there again.
func hold(ts *testscript.TestScript, address string) {
	if _, release, err := testport.Hold(address); err == nil { // else there was none, or it is held
		ts.Defer(release)
	}
}

// end ends a process by a signal.
func end(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "end NAME SIGNAL CODE")
	sendSignal(ts, false, args[:2])
	ended(ts, false, []string{args[0], args[2]})
}

func running(ts *testscript.TestScript) *processes {
	all, ok := ts.Value(processesKey{}).(*processes)
	if !ok {
		ts.Fatalf("the script was not set up by Run")
	}
	return all
}

func started(ts *testscript.TestScript, name string) *process {
	p := running(ts).byName[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

// save puts what the process printed into files.
func (p *process) save(ts *testscript.TestScript, name string) {
	ts.Check(os.WriteFile(ts.MkAbs(name+".stdout"), []byte(p.stdout.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(name+".stderr"), []byte(p.stderr.String()), 0o600))
}

const environmentCommand = "scripttest-environment"

// printEnvironment is a program of the test binary by which a script learns
// its own environment, which testscript does not tell.
func printEnvironment() {
	if err := json.NewEncoder(os.Stdout).Encode(os.Environ()); err != nil {
		os.Exit(1)
	}
}

func environment(ts *testscript.TestScript) (variables []string) {
	ts.Check(ts.Exec(environmentCommand))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &variables))
	return variables
}

// lookPath finds a program in the script's PATH, where those of the test
// binary are.
func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
