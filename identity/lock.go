package identity

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	folderPatience = 10 * time.Second // many changes: each is a few files, synced
	lockPoll       = 10 * time.Millisecond
)

// TakeLock takes the exclusive lock that the file at path stands for, which is
// made if need be. It lasts until unlock, or the end of this program. A holder
// that is stopped, perhaps, is not waited for longer than patience. The file
// stays: if it were removed, two programs could hold a lock each.
func TakeLock(path string, patience time.Duration) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, secretMode) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || waited >= patience {
			break
		}
		time.Sleep(lockPoll) // the lock of a file has no channel to wait on
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil // closing unlocks
}

// lock keeps whoever else would change the identity from it, other programs too.
func (f *Folder) lock() (unlock func(), err error) {
	return TakeLock(f.Path(LockFile), folderPatience)
}
