package catalog

import (
	"fmt"

	"github.com/neurons-me/netget/identity"
)

// A SupersededError refuses a statement or a heartbeat because the node's state
// is a greater one. Its class is [identity.Superseded].
type SupersededError struct {
	Statement *identity.Statement // the node's present state
}

// Error names the state that counts.
func (e *SupersededError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the refusal with its class.
func (e *SupersededError) Unwrap() error {
	s := e.Statement
	return identity.Refuse(identity.Superseded, "the state of %s is epoch %d, sequence %d, rid %s", s.Node(), s.Epoch(), s.Sequence(), s.RID())
}

// A CorruptError says that what the store holds is not what this registry has
// signed, or not signed by whom it names. Nothing of it is served.
type CorruptError struct {
	What string // the row in question, such as "version 7" or the node's identity
	Err  error  // why it cannot be
}

// Error says what is wrong.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("the store is corrupt at %s: %v", e.What, e.Err)
}

// Unwrap returns why.
func (e *CorruptError) Unwrap() error { return e.Err }

// Hint returns what a person can do about it, in one line.
func (e *CorruptError) Hint() string {
	return "restore nothing older: enrol a new registry identity with an empty store; nodes register again by themselves"
}

func corrupt(what, format string, args ...any) error {
	return &CorruptError{What: what, Err: fmt.Errorf(format, args...)}
}

// A FloorError says that this registry identity has signed more than the store
// holds, or something else under the same version. To go on would show two
// histories, so nothing is signed.
type FloorError struct {
	Version int64                 // where the store's log ends
	Mark    identity.RegistryMark // what is known to have been signed
	Where   string                // who knows it
}

// Error says what is known, and from where.
func (e *FloorError) Error() string {
	if e.Mark.Version > e.Version {
		return fmt.Sprintf("the store ends at version %d, but %s knows version %d of this registry identity", e.Version, e.Where, e.Mark.Version)
	}
	return fmt.Sprintf("version %d in the store is not the one that %s knows of this registry identity", e.Mark.Version, e.Where)
}

// Hint returns what a person can do about it, in one line.
func (e *FloorError) Hint() string {
	return "a log that was lost or set back cannot go on: enrol a new registry identity with an empty store"
}

// A HeadFileError says that the file which keeps the newest head cannot be read
// for what it is. To go on without it would forget what protects from signing
// twice.
type HeadFileError struct {
	File string
	Err  error // why it cannot be
}

// Error names the file.
func (e *HeadFileError) Error() string {
	return fmt.Sprintf("the file %s, which keeps the newest head, is damaged: %v", e.File, e.Err)
}

// Unwrap returns why.
func (e *HeadFileError) Unwrap() error { return e.Err }

// Hint returns what a person can do about it, in one line.
func (e *HeadFileError) Hint() string {
	return "remove that file and start again while the certificate authority can be reached, which knows what was signed"
}

// An UnaskedError says that nobody could tell whether the store's log is the
// newest of this registry identity: the file that keeps the newest head is not
// there, and whoever else knows did not answer.
type UnaskedError struct {
	Version int64  // where the store's log ends
	File    string // that is not there
	Err     error  // why nobody answered
}

// Error says who was asked.
func (e *UnaskedError) Error() string {
	return fmt.Sprintf("the store ends at version %d and may be an old copy: %s is not there, and nobody else could be asked for the newest version: %v", e.Version, e.File, e.Err)
}

// Unwrap returns why nobody answered.
func (e *UnaskedError) Unwrap() error { return e.Err }

// Hint returns what a person can do about it, in one line.
func (e *UnaskedError) Hint() string {
	return "start the certificate authority, or let this machine reach it, and start the registry again"
}

// A DivergedError says that another process has written a version which this
// one was about to write. The network is no longer served.
type DivergedError struct{ Version int64 }

// Error names the version.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("version %d of the store was written by another process", e.Version)
}

// Unwrap returns [ErrConflict].
func (e *DivergedError) Unwrap() error { return ErrConflict }

// Hint returns what a person can do about it, in one line.
func (e *DivergedError) Hint() string {
	return "let one process at a time use the store, then start this registry again"
}
