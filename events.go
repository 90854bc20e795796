package netget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

const (
	newestEvents    = 100              // shown of the past when nobody says since when
	mostEvents      = 100_000          // of the past that are kept in memory
	eventsMaxPause  = 10 * time.Second // between attempts while the registry is away
	eventsLeastWait = time.Second      // between two questions that had no answer
	eventsPace      = time.Second / 32 // between two pages of many: a registry answers 100 at once, and 20 a second
)

// An Event says how a registry's view of a node has changed, and why. It is the
// registry's word: unlike records it is not signed, and nothing proves it.
type Event struct {
	ID       int64              `json:"id"` // of the registry, rises
	Time     time.Time          `json:"time"`
	Node     discovery.Subject  `json:"node"` // zero: the network
	From     discovery.Standing `json:"from"` // zero: not listed
	To       discovery.Standing `json:"to"`
	Reason   string             `json:"reason"`   // a word such as "heartbeat-late"
	Evidence string             `json:"evidence"` // for people
	Disputed bool               `json:"disputed"` // heartbeats and probes contradicted each other
}

// Events are what one registry tells of the past.
type Events struct {
	Registry identity.NodeID `json:"registry"`
	URL      string          `json:"url"`
	Events   []Event         `json:"events"` // oldest first
}

// An EventFilter says which events are wanted.
type EventFilter struct {
	Service string    // of this service, in any ASCII case; "": of all
	Node    string    // and of this node, a label; "": of all
	Since   time.Time // zero: the newest 100
}

// Events asks one registry, the first that answers, what happened. Operators are
// told of all nodes, a service node of itself; others are refused
// ([identity.Denied]). More than 100,000 since the moment are [ErrTooManyEvents].
func (n *Node) Events(ctx context.Context, f EventFilter) (*Events, error) {
	s, err := n.ready(ctx)
	if err != nil {
		return nil, err
	}
	r := newEventReader(s, f)
	events, err := r.first(ctx)
	out := &Events{Events: []Event{}}
	for err == nil {
		for _, e := range events {
			out.Events = append(out.Events, newEvent(e))
		}
		if !r.more {
			out.Registry, out.URL = r.registry, r.url
			return out, nil
		}
		if len(out.Events) >= mostEvents {
			return nil, ErrTooManyEvents
		}
		if !r.pause(ctx, 0, nil) {
			return nil, ctx.Err()
		}
		events, err = r.next(ctx, 0)
	}
	return nil, err
}

// FollowEvents gives each the events of [Node.Events] and then, until ctx ends,
// those that come, in order and none twice. While the registry is away it tries
// again; of other registries it takes nothing, because each counts its own events.
// It returns nil when ctx has ended, else the error of each, or of the registry at
// the start or when that refuses.
func (n *Node) FollowEvents(ctx context.Context, f EventFilter, each func(Event) error) error {
	s, err := n.ready(ctx)
	if err != nil {
		return err
	}
	r := newEventReader(s, f)
	events, err := r.first(ctx)
	if err != nil && ctx.Err() == nil {
		return err // where it would go on is not known
	}
	for failures := 0; ctx.Err() == nil; {
		for _, e := range events {
			if err := each(newEvent(e)); err != nil {
				return err
			}
		}
		if !r.pause(ctx, failures, err) {
			return nil
		}
		events, err = r.next(ctx, discovery.MaxWait)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil && !isPassing(err):
			return err
		default:
			failures++
		}
	}
	return nil
}

func newEvent(e discovery.Event) Event {
	return Event{e.ID, time.Unix(e.Time, 0).UTC(), e.Node, e.From, e.To, e.Reason, e.Evidence, e.Disputed}
}

// isPassing reports whether an error, or each of several, may be none a moment
// later.
func isPassing(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(several.Unwrap(), func(err error) bool { return !isPassing(err) })
	}
	code := codeOf(err)
	return code == identity.Unavailable || code == identity.Busy
}

// An eventReader reads the events of one registry, in order. It is not safe for
// concurrent use.
type eventReader struct {
	session  *session
	filter   EventFilter
	registry identity.NodeID // whose events they are; zero before the first answer
	url      string          // where it answered last
	after    int64           // the id to go on from
	more     bool            // the last page was full: there may be more already
	asked    time.Time       // when the last question was asked
}

func newEventReader(s *session, f EventFilter) *eventReader {
	f.Service, f.Node = identity.FoldName(f.Service), identity.FoldName(f.Node)
	return &eventReader{session: s, filter: f}
}

// first returns the newest events, or the first since the moment of the filter.
func (r *eventReader) first(ctx context.Context) ([]discovery.Event, error) {
	limit := newestEvents
	if !r.filter.Since.IsZero() {
		limit = discovery.MaxEvents
	}
	page, err := r.page(ctx, discovery.EventsQuery{Newest: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	r.after = page.Next
	if r.filter.Since.IsZero() || len(page.Events) == 0 {
		return page.Events, nil
	}
	if len(page.Events) < limit || !r.isWanted(page.Events[0]) {
		return r.wanted(page.Events), nil
	}
	if err := r.seek(ctx, page.Events[0].ID); err != nil {
		return nil, err
	}
	return r.next(ctx, 0)
}

// seek goes to the first event that is wanted, as the one of the given id is: it
// looks by halves, because ids rise with time.
func (r *eventReader) seek(ctx context.Context, wanted int64) error {
	low, high := int64(0), wanted // what follows high is wanted
	for low < high {
		middle := low + (high-low)/2
		page, err := r.page(ctx, discovery.EventsQuery{After: middle, Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Events) == 0 || r.isWanted(page.Events[0]) {
			high = middle
			continue
		}
		low = middle + 1
	}
	r.after = low
	return nil
}

func (r *eventReader) isWanted(e discovery.Event) bool { return e.Time >= r.filter.Since.Unix() }

func (r *eventReader) wanted(events []discovery.Event) []discovery.Event {
	for len(events) > 0 && !r.isWanted(events[0]) {
		events = events[1:]
	}
	return events
}

// next returns what comes after the last page, and waits so long for the first.
func (r *eventReader) next(ctx context.Context, wait time.Duration) ([]discovery.Event, error) {
	page, err := r.page(ctx, discovery.EventsQuery{After: r.after, Limit: discovery.MaxEvents, Wait: wait})
	if err != nil {
		return nil, err
	}
	r.after, r.more = page.Next, len(page.Events) == discovery.MaxEvents
	return page.Events, nil
}

// pause waits before the next question, not at all where the last one was held
// back as it should, or there is more already. It returns false when ctx has ended.
func (r *eventReader) pause(ctx context.Context, failures int, err error) bool {
	wait := eventsLeastWait - time.Since(r.asked)
	switch {
	case failures > 0:
		wait = backoff(failures, eventsMaxPause, err)
	case r.more:
		wait = eventsPace
	}
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// page asks the registry whose events are read; at first any that answers.
func (r *eventReader) page(ctx context.Context, q discovery.EventsQuery) (*discovery.EventsPage, error) {
	r.asked = time.Now() // of the pace alone
	remotes, err := r.session.client.Locate(ctx)
	if err != nil {
		return nil, err
	}
	q.Service, q.Node = r.filter.Service, r.filter.Node
	var errs []error
	for _, remote := range remotes {
		page, err := r.ask(ctx, remote, q)
		if err == nil {
			return page, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", remote.URL(), err))
	}
	return nil, errors.Join(errs...)
}

func (r *eventReader) ask(ctx context.Context, remote *discovery.Remote, q discovery.EventsQuery) (*discovery.EventsPage, error) {
	peer, err := remote.Peer(ctx)
	if err != nil {
		return nil, err
	}
	if !r.registry.IsZero() && peer != r.registry {
		return nil, identity.Refuse(identity.Unavailable, "%s, not %s, answers there", peer, r.registry)
	}
	page, registry, err := r.session.client.Events(ctx, remote, q)
	if err != nil {
		return nil, err
	}
	r.registry, r.url = registry, remote.URL()
	return page, nil
}
