package database

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile takes the lock that keeps a second process from the SQLite file at
// path. It is a file of its own, because closing any descriptor of the database
// file would drop SQLite's own locks. The lock goes with the process, however
// it ends; the file stays, or two processes could hold locks on two files of
// one name.
func lockFile(path string) (*os.File, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // the operator's own path
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%w: %s is a link, which somebody else may have put there", ErrLocked, name)
	}
	if err != nil {
		return nil, fileError(err)
	}
	if err := takeLock(f, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func takeLock(f *os.File, path string) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%w by %s, which holds %s", ErrLocked, holder(f), path+".lock")
	}
	if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	if err := f.Chmod(0o600); err != nil {
		return fileError(err)
	}
	// The number is for the message above only; on a full disk the store must
	// open all the same.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return nil
}

// holder reads who wrote the lock file last.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	pid, errNumber := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || errNumber != nil {
		return "another process" // it is about to write its number
	}
	return fmt.Sprintf("process %d", pid)
}

// privateFile makes the database file, if need be, and its mode 0600 whatever
// the umask; SQLite gives its -wal and -shm files the mode of this one. Folders
// that are missing are made for the owner alone.
func privateFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return fileError(err)
	}
	return errors.Join(fileError(f.Chmod(0o600)), f.Close())
}

func privateFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() { //nolint:gosec // the operator's own path
		return fmt.Errorf("%w: %s is a folder", ErrURL, path)
	}
	return fileError(os.MkdirAll(filepath.Dir(path), 0o700)) //nolint:gosec // the operator's own path
}

// fileError wraps an error of the file system, or nil, with its sentinel.
func fileError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return wrap(ErrFull, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return wrap(ErrReadOnly, err)
	default:
		return err
	}
}
