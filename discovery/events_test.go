package discovery_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// events asks a lab for events; what it answers is page.
func (s *setup) events(t *testing.T, l *lab, q discovery.EventsQuery, page string) (*discovery.EventsPage, identity.NodeID, error) {
	t.Helper()
	l.edit = func(string, int64, []byte) (int, []byte) { return http.StatusOK, []byte(page) }
	c := s.client(t, nil, l.serve(t))
	return c.Events(t.Context(), c.Remotes()[0], q)
}

func TestEventsAreAskedForAndRead(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	id := s.ca.ID(service, "db-1")
	want := &discovery.EventsPage{Next: 9, Events: []discovery.Event{
		{ID: 5, Time: 100, Node: discovery.Subject{NodeID: id}, To: discovery.Standing(discovery.Up), Reason: "registered"},
		{
			ID: 7, Time: 130, Node: discovery.Subject{NodeID: id}, From: discovery.Standing(discovery.Up), To: discovery.Standing(discovery.Suspect),
			Reason: "heartbeat-late", Evidence: "16 s after the last", Disputed: true,
		},
		{ID: 9, Time: 131, Reason: "brake-on"},
	}}
	text := must(json.Marshal(want))
	if !strings.Contains(string(text), `"node":"","from":"","to":"","reason":"brake-on"`) {
		t.Errorf("an event of the network is %s", text)
	}
	got, registry, err := s.events(t, north, discovery.EventsQuery{After: 4, Limit: 10, Service: service, Node: "db-1", Wait: 29500 * time.Millisecond}, string(text))
	if err != nil || registry != north.id {
		t.Fatalf("got %s, error %v", registry, err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	asked := []string{"/v1/events?after=4&from=0&limit=10&node=db-1&service=" + service}
	if got := north.asked(); !slices.Equal(got, asked) || north.prefer != "wait=29" {
		t.Errorf("it was asked %q, %q; want %q, wait=29", got, north.prefer, asked)
	}
}

func TestNewestEventsAreAskedForWithoutAnID(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	if _, _, err := s.events(t, north, discovery.EventsQuery{Newest: true, Limit: 5000}, `{"events":[],"next":0}`); err != nil {
		t.Fatal(err)
	}
	asked := []string{"/v1/events?from=0&limit=1000"}
	if got := north.asked(); !slices.Equal(got, asked) || north.prefer != "" {
		t.Errorf("it was asked %q, %q; want %q and no wait", got, north.prefer, asked)
	}
}

func TestEventsThatNoRegistrySendsAreRefused(t *testing.T) {
	event := func(edit string, args ...any) string {
		text := `{"events":[{"id":5,"time":1,"node":"","from":"","to":"","reason":"brake-on","evidence":"","disputed":false}],"next":5}`
		from, to, _ := strings.Cut(fmt.Sprintf(edit, args...), " => ")
		return strings.Replace(text, from, to, 1)
	}
	for name, row := range map[string]struct {
		page string
		code identity.Code
	}{
		"no JSON":                    {`events`, identity.Malformed},
		"no list":                    {`{"next":5}`, identity.Malformed},
		"an id that was seen":        {event(`"id":5 => "id":4`), identity.Malformed},
		"ids that fall":              {event(`"events":[ => "events":[{"id":6,"time":1,"node":"","from":"","to":"","reason":"brake-on","evidence":"","disputed":false},`), identity.Malformed},
		"a next below the last":      {event(`"next":5 => "next":4`), identity.Malformed},
		"a negative time":            {event(`"time":1 => "time":-1`), identity.Malformed},
		"a time after all calendars": {event(`"time":1 => "time":253402300800`), identity.Malformed},
		"no identity":                {event(`"node":"" => "node":"db-1"`), identity.Malformed},
		"a status that is none":      {event(`"to":"" => "to":"sideways"`), identity.Malformed},
		"a reason that is no word":   {event(`brake-on => brake on`), identity.Malformed},
		"no reason":                  {event(`brake-on => `), identity.Malformed},
		"evidence that is too long":  {event(`"evidence":"" => "evidence":"%s"`, strings.Repeat("e", 513)), identity.Malformed},
		"evidence with an escape":    {event(`"evidence":"" => "evidence":"\u001b[2J"`), identity.Malformed},
		"evidence with a C1 control": {event(`"evidence":"" => "evidence":"\u009b2J"`), identity.Malformed},
		"evidence that turns around": {event(`"evidence":"" => "evidence":"\u202e"`), identity.Malformed},
		"more events than there are": {`{"events":[` + strings.Repeat(`{},`, 1000) + `{}],"next":5}`, identity.Limits},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup("north")
			_, _, err := s.events(t, newLab(s.ca, s.clock, "north"), discovery.EventsQuery{After: 4, Limit: 1}, row.page)
			wantCode(t, err, row.code)
		})
	}
	s := newSetup("north")
	if _, _, err := s.events(t, newLab(s.ca, s.clock, "north"), discovery.EventsQuery{After: 4}, event(`brake-on => brake-off`)); err != nil {
		t.Errorf("a good page: %v", err)
	}
}

func TestEventsOfAStrangerAreNotAskedFor(t *testing.T) {
	s := newSetup("north")
	stranger := newLab(s.ca, s.clock, "stranger")
	_, _, err := s.events(t, stranger, discovery.EventsQuery{Limit: 1}, `{"events":[],"next":0}`)
	wantCode(t, err, identity.Binding)
	if asked := stranger.asked(); len(asked) != 0 {
		t.Errorf("it was asked all the same: %q", asked)
	}
}
