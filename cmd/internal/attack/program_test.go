package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/internal/cli"
)

// patience is how long a program may take for anything that it must do at once.
const patience = time.Minute

// A program is a long-running one of ours, in a process of its own.
type program struct {
	cmd     *exec.Cmd
	address string // host:port, of its ready line
	out     *lines
	log     *lines
	ended   chan error
}

// start starts a program and waits for its ready line.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{cmd: command(t, env, args...), out: newLines(), log: newLines(), ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.ended <- p.cmd.Wait()
		p.out.close()
		p.log.close()
	}()
	t.Cleanup(func() { p.stop(t) })
	line, _ := p.out.find(func(string) bool { return true })
	var ready struct{ Address string }
	if json.Unmarshal([]byte(line), &ready) != nil || ready.Address == "" {
		t.Fatalf("%s is not ready\n%s%s", args[0], p.out, p.log)
	}
	p.address = ready.Address
	return p
}

// command returns a program of this test binary, see TestMain, with nothing in
// its environment but env.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args[1:]...) // stop ends it
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

// stop ends the program, unless it was, and wants exit code 0.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if p.ended == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which is seen below
	if err := <-p.ended; err != nil {
		t.Errorf("%s ended with %v\n%s", p.cmd.Args[0], err, p.log)
	}
	p.ended = nil
}

// processesVar has even commands that end by themselves run as processes.
const processesVar = "NETGET_ATTACK_PROCESSES"

// run runs a program to its end and returns its exit code. It is run in this
// process, which is much cheaper, unless the environment asks for another. Its
// clock stands at now; 0 is the system's.
func run(t *testing.T, now int64, args ...string) (code int, stdout, stderr []byte) {
	t.Helper()
	if os.Getenv(processesVar) != "" {
		return runProcess(t, now, args...)
	}
	var out, log bytes.Buffer
	p := cli.Process{Args: args[1:], UID: os.Geteuid(), Stdin: &bytes.Buffer{}, Stdout: &out, Stderr: &log, Now: time.Now}
	if now != 0 {
		p.Now = func() time.Time { return time.Unix(now, 0) }
	}
	code = programs()[args[0]](p).Run(t.Context())
	return code, out.Bytes(), log.Bytes()
}

// runProcess is [run] as a process of its own.
func runProcess(t *testing.T, now int64, args ...string) (code int, stdout, stderr []byte) {
	t.Helper()
	var env []string
	if now != 0 {
		clock := scripttest.NewClock(t, filepath.Join(t.TempDir(), "clock"))
		clock.Stop(now)
		env = append(env, clock.Env())
	}
	cmd := command(t, env, args...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), log.Bytes()
}

// Lines are what a program prints while it runs.
type lines struct {
	mu     sync.Mutex
	more   *sync.Cond // of mu
	text   bytes.Buffer
	closed bool
}

func newLines() *lines {
	l := &lines{}
	l.more = sync.NewCond(&l.mu)
	return l
}

// Write adds to the lines.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.more.Broadcast()
	return l.text.Write(b)
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Broadcast()
}

// String returns all that was printed.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// find waits for a whole line that matches.
func (l *lines) find(match func(string) bool) (line string, found bool) {
	late := false
	timer := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.more.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for seen := 0; ; l.more.Wait() {
		for {
			line, _, whole := bytes.Cut(l.text.Bytes()[seen:], []byte("\n"))
			if !whole {
				break
			}
			if seen += len(line) + 1; match(string(line)) {
				return string(line), true
			}
		}
		if late || l.closed {
			return "", false
		}
	}
}
