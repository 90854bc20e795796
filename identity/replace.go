package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotRegular says that a path names a device, a link, a pipe or a folder where
// a file is to be written.
var ErrNotRegular = errors.New("not a regular file")

// ReplaceFile puts data in place of the file at path so that, whatever
// happens meanwhile, a reader finds the old or the new content, whole: it
// writes beside it, syncs, renames, and syncs the folder. The mode is exactly
// perm, whatever the umask. What is there and is no regular file is
// [ErrNotRegular]: to replace a device breaks the machine, and where a link leads
// may be somebody else's choice.
func ReplaceFile(path string, data []byte, perm fs.FileMode) error {
	if err := CheckReplaceable(path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	if err := fill(f, data, perm); err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to report
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return SyncFolder(dir)
}

// CheckReplaceable returns [ErrNotRegular] for a path at which [ReplaceFile] would
// not write.
func CheckReplaceable(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	return nil
}

func fill(f *os.File, data []byte, perm fs.FileMode) error {
	defer func() { _ = f.Close() }() // it was closed before, with its error, or has failed
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// SyncFolder makes names created or renamed in a folder durable.
func SyncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the caller chose the folder
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing was written through it
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
