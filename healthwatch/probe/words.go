package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/neurons-me/netget/identity"
)

// What a probe found is told to the node, which may have named an endpoint that
// is not its own. So what was met there is never repeated: it is said in words
// and numbers of a fixed form. Certificates alone are spoken of, by identity.

const reasonBytes = 200 // of what is said about a failure

// A findingError is what was wrong with a node, in words that may be told to it.
type findingError string

// Error returns the words.
func (e findingError) Error() string { return string(e) }

func find(format string, args ...any) error { return findingError(fmt.Sprintf(format, args...)) }

// A foreignError stands for one of which the words may be the other side's.
type foreignError struct {
	words string // to be said instead
	err   error
}

// Error returns the words to be said.
func (e *foreignError) Error() string { return e.words }

// Unwrap returns the error that it stands for.
func (e *foreignError) Unwrap() error { return e.err }

// inShort says in a few words what went wrong with a probe.
func inShort(ctx context.Context, err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer within " + probeTimeout.String()
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if refused, ok := errors.AsType[*identity.Error](err); ok {
		return printable(refused.Error())
	}
	if finding, ok := errors.AsType[findingError](err); ok {
		return finding.Error()
	}
	return instead(err)
}

// instead returns what is said in place of an error of which the words may be
// the other side's.
func instead(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ended the connection"
	}
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" { // so crypto/tls marks them
		return "it refuses by TLS"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "its answer is not TLS"
	}
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		return foreign.words
	}
	return "the probe failed"
}

// printable keeps from s what a log or a terminal would obey, and its end if it
// is long.
func printable(s string) string {
	b := []byte(s[:min(len(s), reasonBytes)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
