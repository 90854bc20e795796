//go:build unix

package pki

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFolder takes the lock that keeps two processes from making an authority
// in one folder. The kernel drops it when the process ends, however it ends.
// An authority that is open is kept by the lock of its database instead.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir) //nolint:gosec // the home is the caller's to choose
	if err != nil {
		return nil, fmt.Errorf("locking the home: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = f.Close() }, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("locking %s: %w", dir, ErrLocked)
	}
	return nil, fmt.Errorf("locking %s: %w", dir, err)
}
