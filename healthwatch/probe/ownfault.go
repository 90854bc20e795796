package probe

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// An OwnFaultError says that a probe failed for a reason that lies with the
// registry, its machine or its resolver, so that it says nothing about the node.
type OwnFaultError struct{ Reason string }

// Error says what was missing.
func (e *OwnFaultError) Error() string { return e.Reason }

// ownFault returns an [*OwnFaultError] if err comes from this machine, which was
// not able to contact anybody; nil for others.
func ownFault(err error) error {
	number, _ := errors.AsType[syscall.Errno](err)
	switch number { //nolint:exhaustive // errors have hundreds of numbers
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, // it is full
		syscall.EADDRNOTAVAIL,                 // no port of its own is left
		syscall.ENETUNREACH, syscall.ENETDOWN, // it has no way there
		syscall.EACCES, syscall.EPERM: // its firewall forbids it
		return &OwnFaultError{"this machine could not contact it: " + number.Error()}
	}
	return nil
}

// isOver reports whether a context has ended, or does at this moment: timers of
// connections do not wait for those of contexts.
func isOver(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) <= 0
}
