package catalog

import (
	"strings"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// Reasons of events, beside those of the health watch.
const (
	eventRegistered   = "registered"
	eventDeregistered = "deregistered"
	eventRemoved      = "removed"
	eventExpired      = "expired"
	eventRevoked      = "revoked"
	eventDraining     = "draining"
	eventUndrained    = "undrained"
	eventBrakeOn      = "brake-on"
	eventBrakeOff     = "brake-off"
)

// keptEvents is how many events of a node stay.
const keptEvents = 50

// eventsPerVersion is more than one version can have: one a change, and the
// brake's.
const eventsPerVersion = discovery.MaxChanges * 2

// events returns what the moves of a version mean for people.
func (b *builder) events(moves []move, version int64) []EventRow {
	var all []EventRow
	add := func(e EventRow) {
		e.ID, e.Time = version*eventsPerVersion+int64(len(all)), b.made
		e.Evidence = clean(e.Evidence)
		all = append(all, e)
	}
	if before := b.base.head.Notice; b.notice != before {
		reason := eventBrakeOff
		if b.notice == discovery.BrakeNotice {
			reason = eventBrakeOn
		}
		add(EventRow{Reason: reason})
	}
	for _, m := range moves {
		e := EventRow{Node: m.node, To: m.next.status, Reason: m.event()}
		if m.old != nil {
			e.From = m.old.status
		}
		if m.wish != nil {
			e.Evidence, e.Disputed = m.wish.Evidence, m.wish.Disputed
		}
		if e.Reason != "" {
			add(e)
		}
	}
	return all
}

// clean makes a text one that every store takes: printable ASCII, not too long.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), discovery.MaxEvidence)]
}

// event returns the reason of a move's event; "" where nothing happened that
// anybody wants to read: a record was signed anew.
func (m *move) event() string {
	was, is := discovery.Status(0), m.next.status
	if m.old != nil {
		was = m.old.status
	}
	if was == 0 && is == 0 && m.reason != discovery.ReasonOperator {
		return "" // it was gone already
	}
	switch m.reason {
	case discovery.ReasonStatus:
		return string(m.wish.Reason)
	case discovery.ReasonTombstone:
		return eventDeregistered
	case discovery.ReasonOperator:
		return eventRemoved
	case discovery.ReasonExpired:
		return eventExpired
	case discovery.ReasonRevoked:
		return eventRevoked
	case discovery.ReasonPut:
	}
	if was != is {
		return eventRegistered
	}
	before, _ := m.old.state.Record()
	after, _ := m.next.state.Record()
	switch {
	case before.State == after.State:
		return ""
	case after.State == identity.Draining:
		return eventDraining
	}
	return eventUndrained
}
