package netget_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestOperatorIsToldOfAllNodesAndANodeOfItself(t *testing.T) {
	w := newWorld(t, "r1")
	operator := w.operator(t)
	none, err := operator.Events(t.Context(), netget.EventFilter{})
	if err != nil || none.Events == nil || len(none.Events) != 0 {
		t.Fatalf("got %+v, error %v; want an empty list", none, err)
	}
	one, two := w.node(t, w.folder(t, "svc", "n-1")), w.node(t, w.folder(t, "other", "n-2"))
	first, second := register(t, one).ID, register(t, two).ID
	for name, row := range map[string]struct {
		asks   *netget.Node
		filter netget.EventFilter
		want   []identity.NodeID
	}{
		"an operator, all":           {operator, netget.EventFilter{}, []identity.NodeID{first, second}},
		"an operator, a service":     {operator, netget.EventFilter{Service: "SVC"}, []identity.NodeID{first}},
		"an operator, a node":        {operator, netget.EventFilter{Service: "other", Node: "N-2"}, []identity.NodeID{second}},
		"a node, itself":             {two, netget.EventFilter{}, []identity.NodeID{second}},
		"since before":               {operator, netget.EventFilter{Since: time.Now().Add(-time.Hour)}, []identity.NodeID{first, second}},
		"since a moment that is not": {operator, netget.EventFilter{Since: time.Now().Add(time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.asks.Events(t.Context(), row.filter)
			if err != nil || got.Registry != w.registries[0].id || got.URL != w.registries[0].url() {
				t.Fatalf("got %+v, error %v", got, err)
			}
			var about []identity.NodeID
			for _, e := range got.Events {
				if about = append(about, e.Node.NodeID); e.Reason != "registered" || e.To.String() != "up" || time.Since(e.Time) > time.Minute {
					t.Errorf("got %+v, want a registration just now", e)
				}
			}
			if !slices.Equal(about, row.want) {
				t.Errorf("got events of %v, want %v", about, row.want)
			}
		})
	}
	for _, n := range []*netget.Node{w.client(t), one} {
		_, err := n.Events(t.Context(), netget.EventFilter{Service: "other"})
		if got := identity.CodeOf(err); got != identity.Denied {
			t.Errorf("got error %v of class %q, want %q", err, got, identity.Denied)
		}
	}
}

// errEnough ends a test that follows.
var errEnough = errors.New("enough")

func TestFollowedEventsComeOnceAndInOrderAlsoAfterAnOutage(t *testing.T) {
	w := newWorld(t, "r1")
	operator, registry := w.operator(t), w.registries[0]
	register(t, w.node(t, w.folder(t, "svc", "n-0")))
	labels := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- operator.FollowEvents(ctx, netget.EventFilter{Service: "svc"}, func(e netget.Event) error {
			if e.Reason == "registered" {
				labels <- e.Node.Label()
			}
			return nil
		})
	}()
	want := func(label string) {
		t.Helper()
		select {
		case got := <-labels:
			if got != label {
				t.Fatalf("got an event of %q, want that of %q", got, label)
			}
		case err := <-done:
			t.Fatalf("it ended with %v", err)
		case <-time.After(patience):
			t.Fatalf("no event of %q", label)
		}
	}
	want("n-0")
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	want("n-1")
	registry.stop()
	registry.submit(t, record(t, load(t, w.folder(t, "svc", "n-2")), 7, 1)) // nobody is told
	registry.serve(t)
	want("n-2")
	registry.submit(t, record(t, load(t, w.folder(t, "svc", "n-3")), 7, 1))
	want("n-3")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("following ended with %v, want nil", err)
	}
}

func TestFollowingEndsWhereItIsRefusedOrNobodyAnswers(t *testing.T) {
	w := newWorld(t, "r1")
	err := w.client(t).FollowEvents(t.Context(), netget.EventFilter{}, func(netget.Event) error { return nil })
	if got := identity.CodeOf(err); got != identity.Denied {
		t.Errorf("got error %v of class %q, want %q", err, got, identity.Denied)
	}
	register(t, w.node(t, w.folder(t, "svc", "n-1")))
	err = w.operator(t).FollowEvents(t.Context(), netget.EventFilter{}, func(netget.Event) error { return errEnough })
	wantError(t, err, errEnough)
	operator := w.operator(t)
	w.registries[0].stop()
	err = operator.FollowEvents(t.Context(), netget.EventFilter{}, func(netget.Event) error { return nil })
	if err == nil || identity.CodeOf(err) == identity.Denied {
		t.Errorf("got error %v, want that nobody answers", err)
	}
}

// A history is a registry with so many events, one a second from a moment on.
type history struct {
	mu    sync.Mutex
	asked int
	ids   []int64
}

func (h *history) questions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

func (h *history) tell(rw http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	limit := sure(strconv.Atoi(r.URL.Query().Get("limit")))
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	ids := h.ids[max(0, len(h.ids)-limit):]
	if r.URL.Query().Has("after") {
		first, _ := slices.BinarySearch(h.ids, after+1)
		ids = h.ids[first:min(first+limit, len(h.ids))]
	}
	page := discovery.EventsPage{Events: []discovery.Event{}, Next: after}
	for _, id := range ids {
		page.Events = append(page.Events, discovery.Event{ID: id, Time: id / 10, Reason: "brake-on"})
		page.Next = id
	}
	_ = json.NewEncoder(rw).Encode(page)
}

func TestAllEventsSinceAMomentAreFoundAmongMany(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	h := &history{}
	for id := int64(1); id < 100_000; id += 10 { // 10,000 of them, with gaps
		h.ids = append(h.ids, id)
	}
	l.events = h.tell
	operator := w.node(t, w.folder(t, "operator", "olga", onList(l)))
	for _, since := range []int64{0, 1, 2, 3, 4321, 8999, 9000, 9001, 9998, 9999, 10000} {
		t.Run(fmt.Sprint(since), func(t *testing.T) {
			before := h.questions()
			got, err := operator.Events(t.Context(), netget.EventFilter{Since: time.Unix(since, 0)})
			if err != nil {
				t.Fatal(err)
			}
			want := 9999 - since + 1
			if int64(len(got.Events)) != want || want > 0 && (got.Events[0].Time.Unix() != since || got.Events[want-1].ID != 99_991) {
				t.Errorf("got %d events, want %d from %d on", len(got.Events), want, since)
			}
			if !slices.IsSortedFunc(got.Events, func(a, b netget.Event) int { return int(a.ID - b.ID) }) {
				t.Error("they are in no order")
			}
			if asked := h.questions() - before; asked > 30 {
				t.Errorf("%d questions", asked)
			}
		})
	}
	newest, err := operator.Events(t.Context(), netget.EventFilter{})
	if err != nil || len(newest.Events) != 100 || newest.Events[99].ID != 99_991 {
		t.Errorf("got %d events, error %v; want the newest 100", len(newest.Events), err)
	}
}

func TestEventsBeyondWhatMemoryHoldsAreFollowedOnly(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	h := &history{}
	for id := range int64(100_100) {
		h.ids = append(h.ids, id+1)
	}
	l.events = h.tell
	operator := w.node(t, w.folder(t, "operator", "olga", onList(l)))
	since := netget.EventFilter{Since: time.Unix(1, 0)}
	if _, err := operator.Events(t.Context(), since); !errors.Is(err, netget.ErrTooManyEvents) {
		t.Errorf("got error %v, want %v", err, netget.ErrTooManyEvents)
	}
	last := int64(9)
	err := operator.FollowEvents(t.Context(), since, func(e netget.Event) error {
		if last++; e.ID != last {
			t.Fatalf("got event %d, want %d", e.ID, last)
		}
		if e.ID == 5000 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("error %v, want %v", err, errEnough)
	}
}
