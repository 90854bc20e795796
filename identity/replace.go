package identity

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceFile puts data in place of the file at path so that, whatever
// happens meanwhile, a reader finds the old or the new content, whole: it
// writes beside it, syncs, renames, and syncs the folder. The mode is exactly
// perm, whatever the umask.
func ReplaceFile(path string, data []byte, perm fs.FileMode) error {
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
