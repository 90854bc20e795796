package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/identity"
)

// The exit codes of all programs (docs/cli.md, "Exit codes").
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitDenied      = 4
	ExitUnavailable = 5
	ExitUntrusted   = 6
	ExitInterrupted = 130
)

// An Error says how a failure is shown to the person at the terminal. Members
// left zero are derived from Err: see [Explain].
type Error struct {
	Code string // error class, or a word for the exit code such as "usage"
	Exit int
	Hint string // what to do next, one line
	Err  error  // what happened, never nil
}

// Error returns the text of what happened, without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

// Usage returns an error with exit code 2: a bad flag or argument, bad or
// missing configuration. The arguments are those of [fmt.Errorf].
func Usage(format string, args ...any) error {
	return &Error{Code: "usage", Exit: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Fail returns an error with the given exit code, whatever classes it wraps.
// The arguments after the code are those of [fmt.Errorf].
func Fail(exit int, format string, args ...any) error {
	return &Error{Exit: exit, Err: fmt.Errorf(format, args...)}
}

// Hint returns err with a hint of its own instead of the default one; exit
// code and class stay. It returns nil for a nil err.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Hint: fmt.Sprintf(format, args...), Err: err}
}

// A RemoteError is a refusal that a server sent, as opposed to an
// [identity.Error] that our own verification found: the same class has
// another exit code. Errors of other packages count as received too if they
// have a method HTTPStatus() int; [identity.CodeOf] gives their class.
type RemoteError struct {
	Code    identity.Code // "" when the server named none
	Message string        // its words, or ours about it
	Status  int           // HTTP status, 0 when unknown
	Err     error         // the cause, if there is one
}

// Error returns the message, or the class when there is none.
func (e *RemoteError) Error() string {
	return cmp.Or(e.Message, string(e.Code), fmt.Sprintf("the server answered %d", e.Status))
}

// Unwrap returns the cause, or nil.
func (e *RemoteError) Unwrap() error { return e.Err }

// HTTPStatus returns the status of the server's answer, 0 when unknown.
func (e *RemoteError) HTTPStatus() int { return e.Status }

// FromServer marks the class of err as the word of a server. The authority's
// own operations are marked too when a command runs them without a server, so
// that a mistake has one exit code on both ways. Errors without a class are
// returned as they are.
func FromServer(err error) error {
	code := identity.CodeOf(err)
	if code == "" {
		return err
	}
	return &RemoteError{Code: code, Message: err.Error(), Err: err}
}

// TokenRefused turns the authority's refusal of a join token into exit code
// 4, whatever its class. It changes only errors that are marked as received:
// an authority that did not answer or was busy stays exit code 5, and what our
// own verification found stays 6.
func TokenRefused(err error) error {
	if _, ok := errors.AsType[received](err); !ok || Exit(err) == ExitUnavailable {
		return err
	}
	return &Error{Exit: ExitDenied, Hint: "ask for a new token: they work once and for a short time ('netget-ca token')", Err: err}
}

// received is an error that a server sent; its class is that of [RemoteError] or
// of [identity.CodeOf].
type received interface {
	error
	HTTPStatus() int
}

// A StatusError ends a program with a code and without a word: the exit code of a
// command that was run for the user.
type StatusError int

// Error returns the code as text.
func (s StatusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }
