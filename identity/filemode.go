package identity

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// CheckSecretFile refuses, with [ErrFileMode], a file that others than its
// owner may read or write, and one that is no regular file.
func CheckSecretFile(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, not 0600: %w", path, st.Mode().Perm(), ErrFileMode)
	}
	return nil
}

// CheckTrustedFile refuses, with [ErrFileMode], a file or folder that others may
// change: its owner is neither this user nor root, or group or others may write.
// Who can write a trust bundle, or put another in its place, decides whom the
// program trusts.
func CheckTrustedFile(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := st.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%s has mode %04o, not %04o: %w", path, mode, mode&^0o022, ErrFileMode)
	}
	if owner, ok := ownerOf(st); ok && owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user %d, neither to this one nor to root: %w", path, owner, ErrFileMode)
	}
	return nil
}

func ownerOf(st fs.FileInfo) (uid int, ok bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}
