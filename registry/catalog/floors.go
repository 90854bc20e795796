package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/neurons-me/netget/identity"
)

// A headMark is what the file beside the store says of the newest head that was
// signed. It outlives a store that is set back to an older copy.
type headMark struct {
	Registry identity.NodeID `json:"registry"`
	NID      identity.Hash   `json:"nid"`
	identity.RegistryMark
}

// checkFloors compares the log with all that is known to have been signed by
// this identity: a mark above its end, or another log below it, is a
// [*FloorError]. A log that has begun, of which nobody at all can say how far it
// went, is an [*UnaskedError]: a copy that was put back looks just so.
func (c *Catalog) checkFloors(ctx context.Context) error {
	mark, err := c.readHeadFile()
	if err != nil {
		return err
	}
	if mark != nil {
		if err := c.checkFloor(*mark, c.headFile); err != nil {
			return err
		}
	}
	if c.floors == nil {
		return nil
	}
	marks, err := c.floors(ctx)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelWarn, "nobody else could be asked for our newest head", slog.String("reason", err.Error()))
	}
	if err != nil && len(marks) == 0 && mark == nil && c.headFile != "" && c.state.head.Version > 0 {
		return &UnaskedError{Version: c.state.head.Version, File: c.headFile, Err: err}
	}
	for _, mark := range marks {
		if err := c.checkFloor(mark, "the network"); err != nil {
			return err
		}
	}
	return nil
}

// A markCheck is a mark of this registry's own log, learnt from elsewhere while
// it runs, that waits for the committer.
type markCheck struct {
	mark   identity.RegistryMark
	judged chan error // buffered: the committer never waits
}

// CheckMark compares the log with a mark of it that somebody else shows. A mark
// above the log's end, or beside it, is a [*FloorError], and ends the catalog:
// another registry, or a later copy of this one, has signed under this identity.
func (c *Catalog) CheckMark(ctx context.Context, mark identity.RegistryMark) error {
	m := markCheck{mark, make(chan error, 1)}
	select {
	case c.marks <- m:
		select {
		case err := <-m.judged:
			return err
		case <-ctx.Done(): // the committer may have ended over it
			return ctx.Err()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// judgeMarks judges all marks that wait.
func (c *Catalog) judgeMarks() error {
	for {
		select {
		case m := <-c.marks:
			if err := c.judgeMark(m); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (c *Catalog) judgeMark(m markCheck) error {
	err := c.checkFloor(m.mark, "the network")
	m.judged <- err
	return err
}

func (c *Catalog) checkFloor(mark identity.RegistryMark, where string) error {
	below := &FloorError{Version: c.state.head.Version, Mark: mark, Where: where}
	if mark.Version < 1 {
		return nil // knows nothing
	}
	if mark.Version > c.state.head.Version {
		return below
	}
	root, err := c.state.log.Root(mark.Version)
	if err != nil {
		return err
	}
	if root != mark.Log {
		return below
	}
	return nil
}

// readHeadFile returns the mark in the file, of version 0 if nothing was signed
// yet; nil if there is none of this identity. A file that does not parse is a
// [*HeadFileError], one that others may change [identity.ErrFileMode].
func (c *Catalog) readHeadFile() (*identity.RegistryMark, error) {
	if c.headFile == "" {
		return nil, nil
	}
	err := identity.CheckTrustedFile(c.headFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the newest head that was signed: %w", err)
	}
	text, err := os.ReadFile(c.headFile)
	if err != nil {
		return nil, fmt.Errorf("reading the newest head that was signed: %w", err)
	}
	var m headMark
	if err := identity.UnmarshalStrict(text, &m); err != nil {
		return nil, &HeadFileError{c.headFile, err}
	}
	if m.Version < 0 {
		return nil, &HeadFileError{c.headFile, identity.Refuse(identity.Malformed, "version %d", m.Version)}
	}
	if m.Registry != c.id() || m.NID != c.bundle().NID() {
		return nil, nil // of an identity that this one has replaced
	}
	return &m.RegistryMark, nil
}

// beginHeadFile makes the file before anything is signed, so that it is missing
// only where somebody took it away, or nothing can be written.
func (c *Catalog) beginHeadFile(ctx context.Context) {
	if c.headFile != "" && c.state.head.Version == 0 {
		c.putHeadFile(ctx, identity.RegistryMark{})
	}
}

// writeHeadFile keeps the newest head that was signed, once per version.
func (c *Catalog) writeHeadFile(ctx context.Context) {
	s := c.Snapshot()
	if c.headFile == "" || s == nil || s.head.Version == c.headWritten {
		return
	}
	c.putHeadFile(ctx, s.head.Mark())
}

// putHeadFile replaces the file. On a disk that cannot be written it says so
// once.
func (c *Catalog) putHeadFile(ctx context.Context, mark identity.RegistryMark) {
	text, err := json.Marshal(headMark{c.id(), c.bundle().NID(), mark})
	if err == nil {
		err = identity.ReplaceFile(c.headFile, append(text, '\n'), 0o600)
	}
	if err != nil {
		if !c.headFailed {
			c.log.LogAttrs(ctx, slog.LevelWarn, "newest head not written to its file", slog.String("reason", err.Error()))
		}
		c.headFailed = true
		return
	}
	c.headWritten, c.headFailed = mark.Version, false
}
