package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Bounds of the diary on disk: when a file is full it is put aside under the
// next number, and the oldest goes.
const (
	maxFileBytes = 32 << 20
	maxFiles     = 16 // with the present one: 512 MiB
)

// A file appends lines to the diary's present file and puts it aside when it is
// full. It is used by one goroutine.
type file struct {
	path string
	most int64 // bytes of one file
	keep int   // files

	open *os.File // nil: to be opened
	size int64
}

// append writes whole lines. What cannot be written is gone; the next call
// begins anew, after a line end if a line was torn.
func (f *file) append(lines []byte) error {
	if err := f.ready(int64(len(lines))); err != nil {
		return errors.Join(err, f.close())
	}
	n, err := f.open.Write(lines)
	f.size += int64(n)
	if err != nil {
		return errors.Join(err, f.close())
	}
	return nil
}

// ready opens the present file, a new one where the old is full or was taken
// away by somebody else.
func (f *file) ready(more int64) error {
	if f.open != nil && !f.present() {
		_ = f.close() // it is nobody's any more
	}
	if f.open == nil {
		if err := f.start(); err != nil {
			return err
		}
	}
	if f.size == 0 || f.size+more <= f.most {
		return nil
	}
	if err := f.putAside(); err != nil {
		return err
	}
	return f.start()
}

// present reports whether the path still names the file that is open.
func (f *file) present() bool {
	there, err := os.Lstat(f.path)
	if err != nil {
		return false
	}
	mine, err := f.open.Stat()
	return err == nil && os.SameFile(there, mine)
}

// start opens the file, made for its owner alone whatever the umask, and ends a
// line that a crash has torn.
func (f *file) start() error {
	open, size, err := openPrivate(f.path)
	if err != nil {
		return err
	}
	f.open, f.size = open, size
	return nil
}

func openPrivate(path string) (f *os.File, size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the first error is the one to report
		}
	}()
	st, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !st.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a file", path)
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, 0, err
	}
	size, err = mend(f, st.Size())
	return f, size, err
}

// mend ends the last line if it has no end.
func mend(f *os.File, size int64) (int64, error) {
	if size == 0 {
		return 0, nil
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, size-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return size, nil
	}
	n, err := f.WriteString("\n")
	return size + int64(n), err
}

// putAside gives the full file the next number, syncs it, and removes the
// oldest.
func (f *file) putAside() error {
	old, err := rotated(f.path)
	if err != nil {
		return err
	}
	next := 1
	if len(old) > 0 {
		next = old[len(old)-1].number + 1
	}
	if err := errors.Join(f.open.Sync(), f.close()); err != nil {
		return err
	}
	if err := os.Rename(f.path, numbered(f.path, next)); err != nil {
		return err
	}
	for len(old) > f.keep-2 { // besides the one just put aside and the present one
		if err := os.Remove(old[0].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		old = old[1:]
	}
	return nil
}

func (f *file) close() error {
	if f.open == nil {
		return nil
	}
	err := f.open.Close()
	f.open = nil
	return err
}

// A part is a file of the diary that was put aside.
type part struct {
	path   string
	number int
}

// numbered returns the name of the nth file that was put aside:
// audit.000001.jsonl for audit.jsonl.
func numbered(path string, n int) string {
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s.%06d%s", strings.TrimSuffix(path, ext), n, ext)
}

// rotated returns the files that were put aside, oldest first.
func rotated(path string) ([]part, error) {
	dir, ext := filepath.Dir(path), filepath.Ext(path)
	base := strings.TrimSuffix(filepath.Base(path), ext) + "."
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, file := range files {
		digits, ok := strings.CutPrefix(strings.TrimSuffix(file.Name(), ext), base)
		number, err := strconv.Atoi(digits)
		if !ok || err != nil || number < 1 || numbered(path, number) != filepath.Join(dir, file.Name()) {
			continue
		}
		parts = append(parts, part{filepath.Join(dir, file.Name()), number})
	}
	slices.SortFunc(parts, func(a, b part) int { return a.number - b.number })
	return parts, nil
}
