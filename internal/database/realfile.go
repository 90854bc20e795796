package database

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// realFile returns the one path of the database file, which need not exist, that
// all names derive from: the lock and the write-ahead log belong to the file, by
// whichever link it was found.
func realFile(path string) (string, error) {
	found, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		folder, folderErr := filepath.EvalSymlinks(filepath.Dir(path))
		found, err = filepath.Join(folder, filepath.Base(path)), folderErr
	}
	if err != nil {
		return "", fileError(err)
	}
	return found, oneName(found)
}

// oneName refuses what is no regular file, also a link that leads nowhere, and a
// file with a second name, under which another process could open it past the
// lock.
func oneName(path string) error {
	info, err := os.Lstat(path) //nolint:gosec // the operator's own path
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileError(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrURL, path)
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok && sys.Nlink > 1 {
		return fmt.Errorf("%w: %s has %d names (hard links); remove the others, or copy the file", ErrLinked, path, sys.Nlink)
	}
	return nil
}
