package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A nodeProcess is netget-client register, which keeps one node registered. It
// can be started again when it has ended.
type nodeProcess struct {
	source *identity.Source
	cmd    *exec.Cmd
	stderr bytes.Buffer // complete when the process has ended
}

func (n *nodeProcess) id() identity.NodeID { return n.source.Identity().ID() }

// start starts the process and waits until the node is registered.
func (n *nodeProcess) start(ctx context.Context, registry string) error {
	path, err := exec.LookPath("netget-client") // this test binary, see TestMain
	if err != nil {
		return err
	}
	n.stderr.Reset()
	n.cmd = exec.CommandContext(ctx, path, "register", "-o", "json", "--log-level", "warn",
		"--identity", n.source.Folder().Dir(), "--registry", registry, "--address", "127.0.0.1:5432", "--heartbeat-interval", healthInterval.String())
	n.cmd.Env = []string{}
	n.cmd.Stderr = &n.stderr
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	tooLate := time.AfterFunc(startLimit, n.kill)
	defer tooLate.Stop()
	lines := bufio.NewScanner(out)
	var line struct{ Ready bool }
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil || !line.Ready {
		return fmt.Errorf("the node %s is not ready\n%s", n.id(), n.finalLog())
	}
	return nil
}

// kill ends the process as kill -9 does.
func (n *nodeProcess) kill() { _ = n.cmd.Process.Kill() } // whoever waits for it finds out

// signal sends a signal at a random moment of so much time, and returns when
// that was.
func (n *nodeProcess) signal(t *testing.T, s syscall.Signal, spread time.Duration) time.Time {
	t.Helper()
	<-time.After(randomBelow(spread))
	at := time.Now()
	if err := n.cmd.Process.Signal(s); err != nil {
		t.Errorf("signal %s to %s: %v", s, n.id(), err)
	}
	return at
}

// ended waits for the process, which must have ended with a signal or, for none,
// with success.
func (n *nodeProcess) ended(t *testing.T, by syscall.Signal) {
	t.Helper()
	tooLate := time.AfterFunc(healthPatience, n.kill)
	defer tooLate.Stop()
	err := n.cmd.Wait()
	if by == 0 {
		if err != nil {
			t.Errorf("%s ended with %v\n%s", n.id(), err, n.stderr.String())
		}
		return
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Errorf("%s was not ended by %s: %v\n%s", n.id(), by, err, n.stderr.String())
		return
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != by {
		t.Errorf("%s ended by itself: %v\n%s", n.id(), err, n.stderr.String())
	}
}

// finalLog ends the process, if it has not ended, and returns what it has logged.
func (n *nodeProcess) finalLog() string {
	if n.cmd == nil || n.cmd.Process == nil {
		return ""
	}
	n.kill()
	_ = n.cmd.Wait() // it may have been waited for
	return n.stderr.String()
}
