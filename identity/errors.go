package identity

import (
	"errors"
	"fmt"
)

// A Code is an error class of the protocol: what was wrong, in one word that a
// program can branch on. It is also the "code" member of HTTP problem
// documents (docs/protocol.md, "Error classes").
type Code string

// The error classes. The last four are only ever found by clients.
const (
	Limits       Code = "limits"
	Malformed    Code = "malformed"
	BadHeader    Code = "header"
	BadTime      Code = "time"
	BadSignature Code = "signature"
	BadCert      Code = "certificate"
	Binding      Code = "binding"
	WrongNetwork Code = "network"
	Denied       Code = "denied"
	Revoked      Code = "revoked"
	NotFound     Code = "not-found"
	Superseded   Code = "superseded"
	Gone         Code = "gone"
	Busy         Code = "busy"
	Unavailable  Code = "unavailable"
	Stale        Code = "stale"
	Rollback     Code = "rollback"
	Equivocation Code = "equivocation"
	Incomplete   Code = "incomplete"
)

// An Error is a refusal with its class. Its text is for logs and for the
// person at the terminal who owns the refused thing; a remote party is told
// the class alone.
type Error struct {
	Code   Code
	Reason string
	Err    error // the cause, if there is one
}

// Refuse makes the refusal of class code for the reason given in the manner of
// [fmt.Errorf]; %w keeps the cause.
func Refuse(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: err.Error(), Err: errors.Unwrap(err)}
}

// Error returns "class: reason".
func (e *Error) Error() string { return string(e.Code) + ": " + e.Reason }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// classed is an error that has a class: a refusal of ours or a server's.
type classed interface {
	error
	class() Code
}

func (e *Error) class() Code { return e.Code }

// CodeOf returns the class of the first refusal in err's chain, an [Error] or
// a [ProblemError], or "" when there is none: an error without a class is a
// failure, not a refusal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[classed](err); ok {
		return e.class()
	}
	return ""
}
