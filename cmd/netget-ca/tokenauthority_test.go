package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/netip"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// callTimeout bounds one call of an authority.
const callTimeout = time.Minute

// An address is one of this machine's own.
type address = netip.Addr

// A tokenAuthority is netget-ca serve in a process of its own.
type tokenAuthority struct {
	home, address string
	bundle        *identity.Bundle
	stderr        *bytes.Buffer // complete when the process has ended
}

// newTokenAuthority makes an authority and serves it until the test ends.
func newTokenAuthority(t *testing.T) *tokenAuthority {
	t.Helper()
	a := &tokenAuthority{home: t.TempDir(), stderr: &bytes.Buffer{}}
	a.run(t, "init", "--no-passphrase")
	folder := identity.NewFolder(filepath.Join(a.home, "watcher"))
	a.run(t, "enroll", "client", "watcher", "--out", folder.Dir())
	watcher, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	a.bundle = watcher.Bundle
	a.serve(t)
	return a
}

// run runs a command of the program and returns what it printed.
func (a *tokenAuthority) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := a.command(t, args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("netget-ca %s: %v\n%s", strings.Join(args, " "), err, cmd.Stderr)
	}
	return strings.TrimSpace(string(out))
}

func (a *tokenAuthority) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("netget-ca") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append(args, "--home", a.home)...)
	cmd.Env, cmd.Stderr = []string{}, &bytes.Buffer{}
	return cmd
}

func (a *tokenAuthority) serve(t *testing.T) {
	t.Helper()
	cmd := a.command(t, "serve", "-o", "json", "--log-level", "error", "--address", "127.0.0.1:0", "--ops-address", "off")
	cmd.Stderr = a.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the authority's log:\n%s", a.stderr)
		}
	})
	var line struct{ Address string }
	lines := bufio.NewScanner(out)
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil {
		t.Fatalf("the authority did not become ready: %s", lines.Text())
	}
	a.address = line.Address
}

// token makes a join token.
func (a *tokenAuthority) token(t *testing.T, node string) string {
	t.Helper()
	return a.run(t, "token", "databaseservice", node)
}

// addresses returns ten addresses that share no limit with those of another
// group. Systems other than Linux have one loopback address.
func (a *tokenAuthority) addresses(group int) []address {
	if runtime.GOOS != "linux" {
		return []address{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	all := make([]address, 10)
	for i := range all {
		all[i] = netip.AddrFrom4([4]byte{127, byte(1 + group/250), byte(1 + group%250), byte(1 + i)})
	}
	return all
}
