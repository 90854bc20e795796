package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startLimit is how long the registry may take until it is ready.
const startLimit = time.Minute

// A registryProcess is netget-registry serve.
type registryProcess struct {
	cmd    *exec.Cmd
	ops    string       // URL of the operations port; "" without one
	stderr bytes.Buffer // complete when the process has ended
}

// startRegistry starts the registry on its store and port and waits for its
// ready line. It returns how long that took. Somebody else may have taken the
// port meanwhile; then it starts on another one.
func (w *drillWorld) startRegistry(t *testing.T) time.Duration {
	t.Helper()
	took, ready := w.tryStart(t)
	if !ready && strings.Contains(w.registry.finalLog(), "address already in use") {
		w.address = "127.0.0.1:0"
		took, ready = w.tryStart(t)
	}
	if !ready {
		t.Fatalf("the registry did not become ready\n%s", w.registry.finalLog())
	}
	return took
}

// tryStart starts the registry and reports whether it became ready.
func (w *drillWorld) tryStart(t *testing.T) (took time.Duration, ready bool) {
	t.Helper()
	path, err := exec.LookPath("netget-registry") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"serve", "-o", "json", "--log-level", "warn",
		"--home", w.home(), "--store", w.store, "--address", w.address, "--ops-address", "off",
	}, w.flags...)
	p := &registryProcess{cmd: exec.CommandContext(t.Context(), path, args...)}
	p.cmd.Env = w.env
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.registry = p
	tooLate := time.AfterFunc(startLimit, p.kill)
	defer tooLate.Stop()
	lines := bufio.NewScanner(out)
	var line struct{ Address, Ops string }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil {
		return 0, false
	}
	w.address, p.ops = line.Address, line.Ops
	return time.Since(began), true
}

// kill ends the process as kill -9 does.
func (p *registryProcess) kill() { _ = p.cmd.Process.Kill() } // ended finds out

// signal sends the process a signal.
func (p *registryProcess) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// stop ends the process as it likes to be ended.
func (p *registryProcess) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the registry was asked to stop: %v\n%s", err, p.finalLog())
	}
}

// ended waits for the process, which must have been killed.
func (p *registryProcess) ended(t *testing.T) {
	t.Helper()
	err := p.cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("the registry was not killed: %v\n%s", err, p.finalLog())
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the registry ended by itself: %v\n%s", err, p.finalLog())
	}
}

// finalLog ends the process, if it has not ended, and returns what it has logged.
func (p *registryProcess) finalLog() string {
	p.kill()
	_ = p.cmd.Wait() // it may have been waited for
	return p.stderr.String()
}
