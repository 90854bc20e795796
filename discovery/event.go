package discovery

import (
	"strings"

	"github.com/neurons-me/netget/identity"
)

// Limits of events (docs/protocol.md section 6, "Events").
const (
	MaxEvents      = 1000 // of one page
	MaxEvidence    = 512  // bytes
	maxReasonBytes = 64
	lastSecond     = 253_402_300_799 // of the year 9999, the last that RFC 3339 can name
)

// An Event says how a registry's view of a node has changed, and why; or,
// without a node, what happened to the network. It is the registry's word alone:
// nothing of it is signed or can be proven.
type Event struct {
	ID       int64    `json:"id"`   // at least 1, rises with every event of the network at this registry
	Time     int64    `json:"time"` // Unix seconds
	Node     Subject  `json:"node"`
	From     Standing `json:"from"`
	To       Standing `json:"to"`
	Reason   string   `json:"reason"`   // a word such as "heartbeat-late", see docs/protocol.md
	Evidence string   `json:"evidence"` // for people, at most 512 bytes
	Disputed bool     `json:"disputed"` // heartbeats and probes contradicted each other
}

// An EventsPage is what GET /v1/events answers.
type EventsPage struct {
	Events []Event `json:"events"` // by rising id
	Next   int64   `json:"next"`   // the value of after that goes on from here
}

// A Subject is the node that an event is about, or nobody: the whole network.
type Subject struct{ identity.NodeID }

// UnmarshalText reads an identity, or "" for the network.
func (s *Subject) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = Subject{}
		return nil
	}
	return s.NodeID.UnmarshalText(b)
}

// A Standing is a status, or zero for a node that is not listed.
type Standing Status

// String returns "up", "suspect", "down", or "" for a node that is not listed.
func (s Standing) String() string {
	if s == 0 {
		return ""
	}
	return Status(s).String()
}

// MarshalText returns what [Standing.String] does.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads that; anything else is malformed.
func (s *Standing) UnmarshalText(b []byte) error {
	*s = 0
	if len(b) == 0 {
		return nil
	}
	return (*Status)(s).UnmarshalText(b)
}

// parseEvents reads the reply to a question for events after the given id. What
// no registry sends is malformed.
func parseEvents(doc []byte, after int64) (*EventsPage, error) {
	if err := checkArrays(doc, MaxEvents); err != nil {
		return nil, err
	}
	var page EventsPage
	if err := decode(doc, &page); err != nil {
		return nil, err
	}
	if page.Events == nil {
		return nil, identity.Refuse(identity.Malformed, "the list of events is missing")
	}
	last := after
	for _, e := range page.Events {
		if e.ID <= last || e.Time < 0 || e.Time > lastSecond {
			return nil, identity.Refuse(identity.Malformed, "the event %d after %d, at %d", e.ID, last, e.Time)
		}
		if !isReason(e.Reason) || !isEvidence(e.Evidence) {
			return nil, identity.Refuse(identity.Malformed, "the reason or evidence of the event %d", e.ID)
		}
		last = e.ID
	}
	if page.Next < last {
		return nil, identity.Refuse(identity.Malformed, "events up to %d, and the next after %d", last, page.Next)
	}
	return &page, nil
}

// isEvidence reports whether a text may be shown to people: printable ASCII.
func isEvidence(s string) bool {
	return len(s) <= MaxEvidence && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// isReason reports whether a text may be a registry's word for why something
// is: it is shown to people, so that others than letters and dashes never are.
func isReason(s string) bool {
	return s != "" && len(s) <= maxReasonBytes && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == ""
}
