package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxLine bounds a line of the diary: an entry is at most about half of that.
const maxLine = 16 << 10

// Skipped says that some lines of a file are no entries: torn by a crash, or
// written by somebody else.
type Skipped struct {
	File  string
	Lines int // how many
	First int // the first of them, from 1
}

// String tells it to a person.
func (s Skipped) String() string {
	return fmt.Sprintf("%s: %d of its lines are not audit entries, the first is line %d", s.File, s.Lines, s.First)
}

// Read hands over the entries of the diary at path, oldest first, those put
// aside before the present one, and returns what was skipped. It works beside
// the server that writes. The error is [fs.ErrNotExist] where there is no diary,
// or that of each.
func Read(path string, each func(Entry) error) ([]Skipped, error) {
	r := reader{path: path, each: each}
	for {
		more, err := r.next()
		if err != nil || !more {
			return r.skipped, errors.Join(err, r.close())
		}
		if err := r.drain(); err != nil {
			return r.skipped, errors.Join(err, r.close())
		}
		r.finish()
	}
}

// A reader goes through the files of a diary in the order in which they were
// written, while they are put aside under it.
type reader struct {
	path    string
	each    func(Entry) error
	skipped []Skipped

	open    *os.File
	info    fs.FileInfo // of open
	buffer  *bufio.Reader
	line    []byte // the beginning of one that has no end yet
	tooLong bool   // what is in line is not all of it
	number  int    // of the line
	bad     Skipped
}

// next opens the file after the present one, the oldest first; false where there
// is none. A file that is gone before it is opened was the oldest.
func (r *reader) next() (more bool, err error) {
	for {
		names, err := r.names()
		if err != nil || len(names) == 0 {
			return false, err
		}
		f, err := os.Open(names[0])
		if errors.Is(err, fs.ErrNotExist) {
			continue // put aside, or removed, meanwhile
		}
		if err != nil {
			return false, err
		}
		info, err := f.Stat()
		if err != nil || r.info != nil && os.SameFile(info, r.info) {
			return false, errors.Join(err, f.Close())
		}
		if err := r.close(); err != nil {
			return false, errors.Join(err, f.Close())
		}
		r.open, r.info, r.buffer = f, info, bufio.NewReaderSize(f, 64<<10)
		r.number, r.bad = 0, Skipped{File: f.Name()}
		return true, nil
	}
}

// names returns the files that come after the present one.
func (r *reader) names() ([]string, error) {
	var names []string
	parts, err := rotated(r.path)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		names = append(names, p.path)
	}
	if _, err := os.Stat(r.path); err == nil {
		names = append(names, r.path)
	}
	if r.info == nil {
		if len(names) == 0 {
			return nil, &fs.PathError{Op: "open", Path: r.path, Err: fs.ErrNotExist}
		}
		return names, nil
	}
	for i, name := range names {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, r.info) {
			return names[i+1:], nil
		}
	}
	return names, nil // the present one is gone: it was the oldest
}

// drain reads what the present file holds by now. A line without an end waits
// for it.
func (r *reader) drain() error {
	for {
		chunk, err := r.buffer.ReadSlice('\n')
		if room := maxLine - len(r.line); len(chunk) > room {
			chunk, r.tooLong = chunk[:room], true
		}
		r.line = append(r.line, chunk...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading %s: %w", r.open.Name(), err)
		}
		if err := r.take(); err != nil {
			return err
		}
	}
}

// take hands over the line that is complete.
func (r *reader) take() error {
	line, tooLong := bytes.TrimSpace(r.line), r.tooLong
	r.line, r.tooLong = r.line[:0], false
	r.number++
	if len(line) == 0 {
		return nil
	}
	e, ok := parse(line)
	if tooLong || !ok {
		r.skip()
		return nil
	}
	return r.each(e)
}

func (r *reader) skip() {
	if r.bad.Lines++; r.bad.First == 0 {
		r.bad.First = r.number
	}
}

// finish ends the present file: a line that has no end now is torn.
func (r *reader) finish() {
	if len(r.line) > 0 {
		r.number++
		r.skip()
		r.line, r.tooLong = r.line[:0], false
	}
	if r.bad.Lines > 0 {
		r.skipped = append(r.skipped, r.bad)
		r.bad = Skipped{File: r.bad.File}
	}
}

func (r *reader) close() error {
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open = nil
	return err
}

// parse reads a line as an entry. Members that it does not know are ignored, so
// that an older program reads what a newer one has written.
func parse(line []byte) (Entry, bool) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil || e.Event == "" || e.Time.IsZero() {
		return Entry{}, false
	}
	return e.cleaned(), true
}
