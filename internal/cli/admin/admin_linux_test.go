package admin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
)

func TestLongPath(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "admin.sock")
	serve(t, path)
	if err := admin.NewClient(path).Call(t.Context(), "/hello", question{"you"}, nil); err != nil {
		t.Error(err)
	}
	nowhere := filepath.Join(folder, "none", "admin.sock")
	if err := admin.NewClient(nowhere).Call(t.Context(), "/hello", question{"you"}, nil); err != admin.ErrNobody { //nolint:errorlint // promised as it is
		t.Errorf("a folder that is not there: %v, want ErrNobody", err)
	}
}

// callAs is set in the environment of a copy of this test that runs as another
// user: the path of the socket to call.
const callAs = "NETGET_TEST_CALL"

func TestMain(m *testing.M) {
	if path := os.Getenv(callAs); path != "" {
		err := admin.NewClient(path).Call(context.Background(), "/hello", question{"stranger"}, nil)
		os.Exit(cli.Exit(err))
	}
	os.Exit(m.Run())
}

// TestStrangers opens the file to everybody, as a careless operator could: the
// server still talks to its own user alone. Another user can only be had by
// root; others see the same check pass for themselves in TestCall.
func TestStrangers(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	path := socketPath(t)
	serve(t, path)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	self := copySelf(t, filepath.Dir(path))
	if code := runAs(t, self, path, 0); code != 0 {
		t.Errorf("root: exit %d, want 0", code)
	}
	if code := runAs(t, self, path, 65534); code != 4 {
		t.Errorf("nobody: exit %d, want 4", code)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := runAs(t, self, path, 65534); code != 4 {
		t.Errorf("nobody, kept out by the mode: exit %d, want 4", code)
	}
}

// copySelf puts this test where other users may run it.
func copySelf(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(folder, "caller")
	if err := os.WriteFile(self, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return self
}

// runAs calls the socket from a process of another user and returns its exit
// code.
func runAs(t *testing.T, self, path string, uid uint32) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir = "/"
	cmd.Env = []string{callAs + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}
