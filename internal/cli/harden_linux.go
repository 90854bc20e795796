package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable also stops core files that go to a program, which the limit does
// not, and other processes of the user from reading this one's memory and
// environment (PR_SET_DUMPABLE in prctl(2)). It ends with exec.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keeping the process out of core files: %w", err)
	}
	return nil
}
