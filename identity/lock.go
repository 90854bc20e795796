package identity

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	lockPatience = 10 * time.Second // many changes: each is a few files, synced
	lockPoll     = 10 * time.Millisecond
)

// lock keeps whoever else would change the identity from it, other programs
// too, until unlock or the end of this one. The file stays: if it were removed,
// two programs could hold a lock each.
func (f *Folder) lock() (unlock func(), err error) {
	file, err := os.OpenFile(f.Path(LockFile), os.O_CREATE|os.O_RDWR, secretMode)
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || waited >= lockPatience {
			break
		}
		time.Sleep(lockPoll) // the lock of a file has no channel to wait on
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
	}
	return func() { _ = file.Close() }, nil // closing unlocks
}
