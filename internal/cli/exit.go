package cli

import (
	"context"
	"errors"

	"github.com/neurons-me/netget/identity"
)

// A Report is an error as users see it, in the form of -o json.
type Report struct {
	Code    string `json:"code"` // error class, or a word for the exit code
	Exit    int    `json:"exit"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Err returns the error that the report describes, for reports that came from
// another process.
func (r Report) Err() error {
	return &Error{Code: r.Code, Exit: r.Exit, Hint: r.Hint, Err: errors.New(r.Message)}
}

// Explain derives from err, which is not nil, all that a user is told. The
// outermost error that says something wins. Of several joined errors the
// gravest counts: untrusted, denied, usage, a server's failure, not found,
// unavailable. Errors that nobody knows are failures, exit code 1.
func Explain(err error) Report {
	report := judge(err)
	if report.Exit == 0 {
		report.Exit = ExitFailure
	}
	if report.Code == "" {
		report.Code = word(report.Exit)
	}
	if report.Hint == "" {
		report.Hint = defaultHint(report, err)
	}
	report.Message = oneLine(err.Error())
	report.Hint = oneLine(report.Hint)
	return report
}

// Exit returns the exit code for err, 0 for nil.
func Exit(err error) int {
	if err == nil {
		return ExitOK
	}
	return Explain(err).Exit
}

// judge walks from the outermost error inwards. What it cannot tell is zero
// in the report.
func judge(err error) Report {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch e := any(e).(type) {
		case *Error:
			return e.override(judge(e.Err))
		case StatusError:
			return Report{Exit: int(e)}
		case received:
			return judgeReceived(e)
		case *identity.Error:
			return Report{Code: string(e.Code), Exit: foundExit(e.Code)}
		case interface{ Unwrap() []error }:
			return gravest(e.Unwrap())
		}
		if errors.Is(e, context.Canceled) && errors.Unwrap(e) == nil {
			return Report{Exit: ExitInterrupted}
		}
	}
	return judgeSystem(err)
}

// override returns what e says, and r where e is silent.
func (e *Error) override(r Report) Report {
	if e.Exit != 0 && e.Exit != r.Exit {
		r = Report{Code: r.Code, Exit: e.Exit} // the hint was meant for another outcome
	}
	if e.Code != "" {
		r.Code = e.Code
	}
	if e.Hint != "" {
		r.Hint = e.Hint
	}
	return r
}

// judgeReceived judges what a server sent. A hint or code that was given to
// the cause keeps its say.
func judgeReceived(err received) Report {
	code := identity.CodeOf(err)
	if remote, ok := any(err).(*RemoteError); ok {
		code = remote.Code
	}
	report := Report{Code: string(code), Exit: receivedExit(code, err.HTTPStatus())}
	if inner, ok := errors.AsType[*Error](err); ok {
		return inner.override(report)
	}
	return report
}

// gravest returns the report of the error that weighs most, the first of
// equals.
func gravest(errs []error) Report {
	worst := judge(errs[0]) // [errors.Join] never joins none
	for _, err := range errs[1:] {
		if r := judge(err); gravity(r.Exit) > gravity(worst.Exit) {
			worst = r
		}
	}
	return worst
}

func gravity(exit int) int {
	order := []int{0, ExitUnavailable, ExitNotFound, ExitFailure, ExitUsage, ExitDenied, ExitUntrusted, ExitInterrupted}
	for i, e := range order {
		if e == exit {
			return i
		}
	}
	return len(order)
}

// receivedExit is the exit code for a class that a server sent; the status
// decides when the class is unknown.
func receivedExit(code identity.Code, status int) int {
	switch code {
	case identity.Limits, identity.Malformed, identity.BadHeader, identity.BadSignature, identity.BadTime, identity.Superseded:
		return ExitFailure
	case identity.NotFound, identity.Gone:
		return ExitNotFound
	case identity.Denied, identity.Binding, identity.WrongNetwork, identity.BadCert, identity.Revoked:
		return ExitDenied
	case identity.Busy, identity.Unavailable:
		return ExitUnavailable
	case identity.Stale, identity.Rollback, identity.Equivocation, identity.Incomplete:
		return ExitFailure // only clients find these; no server of ours sends them
	}
	return statusExit(status)
}

func statusExit(status int) int {
	switch status {
	case 401, 403, 421:
		return ExitDenied
	case 404, 410:
		return ExitNotFound
	case 429, 502, 503, 504:
		return ExitUnavailable
	}
	return ExitFailure
}

// foundExit is the exit code for a class that our own verification found.
// Absence, and a server that gives no answer, are no breach of trust.
func foundExit(code identity.Code) int {
	switch code {
	case identity.NotFound, identity.Gone:
		return ExitNotFound
	case identity.Busy, identity.Unavailable:
		return ExitUnavailable
	case identity.Limits, identity.Malformed, identity.BadHeader, identity.BadTime, identity.BadSignature,
		identity.BadCert, identity.Binding, identity.WrongNetwork, identity.Denied, identity.Revoked,
		identity.Superseded, identity.Stale, identity.Rollback, identity.Equivocation, identity.Incomplete:
		return ExitUntrusted
	}
	return ExitUntrusted
}

// word names an exit code where no class does.
func word(exit int) string {
	switch exit {
	case ExitUsage:
		return "usage"
	case ExitNotFound:
		return string(identity.NotFound)
	case ExitDenied:
		return string(identity.Denied)
	case ExitUnavailable:
		return string(identity.Unavailable)
	case ExitUntrusted:
		return "untrusted"
	case ExitInterrupted:
		return "interrupted"
	}
	return "failure"
}
