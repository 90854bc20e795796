package identity

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Status returns the HTTP status of a class. A size of the message that is
// exceeded is 413, of its headers 431; whoever refuses for that says so itself.
func (c Code) Status() int {
	switch c {
	case Limits, Malformed, BadHeader, BadTime:
		return http.StatusBadRequest
	case BadSignature, BadCert:
		return http.StatusUnauthorized
	case Binding, WrongNetwork, Denied, Revoked:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Superseded:
		return http.StatusConflict
	case Gone:
		return http.StatusGone
	case Busy:
		return http.StatusTooManyRequests
	case Unavailable, Stale, Rollback, Equivocation, Incomplete:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Sentence returns what a remote party is told of a class: the same words
// whatever the reason was.
func (c Code) Sentence() string {
	switch c {
	case Limits:
		return "A size, count or range of the message is outside the limits."
	case Malformed:
		return "The message does not have the form that the protocol asks for."
	case BadHeader:
		return "The protected header is not the one of this kind of object."
	case BadTime:
		return "A time in the message does not fit the clock, the certificate or another time."
	case BadSignature:
		return "A signature or token does not verify."
	case BadCert:
		return "A certificate does not verify for this use."
	case Binding:
		return "The message was made under another certificate or identity."
	case WrongNetwork:
		return "The message is for another network."
	case Denied:
		return "This identity may not do that."
	case Revoked:
		return "A certificate is revoked."
	case NotFound:
		return "There is no such thing here."
	case Superseded:
		return "A later statement of the node is known; it is sent along."
	case Gone:
		return "What was asked for is no longer kept."
	case Busy:
		return "Too many requests; try again later."
	case Unavailable:
		return "The service cannot answer now; try again later."
	case Stale, Rollback, Equivocation, Incomplete:
		return "The answer could not be verified."
	}
	return "An internal error."
}

// A Problem is the document of an HTTP error (RFC 9457) with the members that
// the protocol adds.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   Code   `json:"code"`

	// With superseded: the node's state, its certificate and issuer (DER).
	Current     string `json:"current,omitempty"`
	Certificate []byte `json:"certificate,omitempty"`
	Issuer      []byte `json:"issuer,omitempty"`

	// With unavailable: the newest head and who signed it.
	Head     string   `json:"head,omitempty"`
	Registry [][]byte `json:"registry,omitempty"`
}

// NewProblem returns the document of a class.
func NewProblem(code Code) Problem {
	return Problem{Type: "about:blank", Title: http.StatusText(code.Status()), Status: code.Status(), Detail: code.Sentence(), Code: code}
}

// A ProblemError is a refusal that a server sent: its word, not a finding of
// ours.
type ProblemError struct {
	Problem
	RetryAfter time.Duration // zero: the server did not say
}

// ParseProblem makes the error of an HTTP response that is no success. A body
// that is no problem document leaves the class to the status.
func ParseProblem(status int, header http.Header, body []byte) *ProblemError {
	e := &ProblemError{}
	if err := UnmarshalStrict(body, &e.Problem); err != nil || e.Code.Status() == http.StatusInternalServerError {
		e.Problem = Problem{Code: codeOfStatus(status), Detail: http.StatusText(status)}
	}
	e.Status, e.Detail = status, printable(e.Detail)
	if seconds, err := time.ParseDuration(header.Get("Retry-After") + "s"); err == nil && seconds > 0 {
		e.RetryAfter = min(seconds, time.Hour)
	}
	return e
}

// maxDetailBytes bounds what a server says for itself: a few sentences.
const maxDetailBytes = 256

// printable bounds the words of a server and keeps from them what a terminal
// would obey: they are shown to people and written to logs.
func printable(s string) string {
	s = s[:min(len(s), maxDetailBytes)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// Error returns "class (status): detail".
func (e *ProblemError) Error() string {
	return fmt.Sprintf("the server answered %s (%d): %s", e.Code, e.Status, e.Detail)
}

// HTTPStatus returns the status of the response.
func (e *ProblemError) HTTPStatus() int { return e.Status }

func (e *ProblemError) class() Code { return e.Code }

func codeOfStatus(status int) Code {
	switch status {
	case http.StatusUnauthorized:
		return BadCert
	case http.StatusForbidden, http.StatusMisdirectedRequest:
		return Denied
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return NotFound
	case http.StatusGone:
		return Gone
	case http.StatusConflict:
		return Superseded
	case http.StatusTooManyRequests:
		return Busy
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return Limits
	}
	if status >= http.StatusInternalServerError {
		return Unavailable
	}
	return Malformed
}
