package pki

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
)

// A problem is the document of a refusal. TokenUsed is there for enrolments
// alone: whether the join token is used up; absent when that is not known.
type problem struct {
	identity.Problem
	TokenUsed *bool `json:"token_used,omitempty"`
}

// errTooLarge marks a refusal for the size of a message or of a part of it.
var errTooLarge = errors.New("too large")

// problemOf maps an error to its document. Why it was refused is for the log.
func problemOf(err error) problem {
	p := problem{Problem: identity.NewProblem(identity.CodeOf(err))}
	_, body := errors.AsType[*http.MaxBytesError](err)
	if body || errors.Is(err, errTooLarge) {
		p.Status = http.StatusRequestEntityTooLarge
		p.Title = http.StatusText(p.Status)
	}
	return p
}

// under changes the status where the class alone does not tell it.
func (p problem) under(status int) problem {
	p.Status, p.Title = status, http.StatusText(status)
	return p
}

// withToken says what became of the join token of an enrolment that failed
// with err.
func (p problem) withToken(err error) problem {
	_, signing := errors.AsType[*signingError](err)
	used := signing || errors.Is(err, errReuse)
	switch {
	case errors.Is(err, database.ErrInDoubt) && !signing:
		p.Detail += " Whether the join token is used up is not known."
		return p
	case used:
		p.Detail += " The join token is used up; ask for a new one."
	default:
		p.Detail += " The join token was not used up."
	}
	p.TokenUsed = &used
	return p
}

func (p problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the peer may be gone; there is nobody else to tell
}
