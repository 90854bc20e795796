package cli_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/internal/cli"
)

func TestFullAndReadOnlyDisksHaveHints(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "free some space",
		syscall.EDQUOT: "raise the quota",
		syscall.EFBIG:  "limit",
		syscall.EROFS:  "the disk is read-only",
		syscall.EACCES: "run as the user who owns the folder",
	} {
		got := cli.Explain(&os.PathError{Op: "mkdir", Path: "x", Err: errno})
		if got.Exit != cli.ExitFailure || !strings.Contains(got.Hint, want) {
			t.Errorf("%v: got %+v, want exit 1 and %q", errno, got, want)
		}
	}
}
