package netget_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// An eventLiar answers the n-th question for events, from 1 on, as a test wants.
type eventLiar struct {
	*liar

	asked atomic.Int64
}

// newEventLiar makes one whose connections end with each answer, so that time
// passes in the test's bubble while nobody asks.
func (w *world) newEventLiar(t *testing.T, label string, answer func(rw http.ResponseWriter, r *http.Request, n int64)) *eventLiar {
	t.Helper()
	e := &eventLiar{liar: newLiar(t, w.ca, label)}
	e.server.Config.SetKeepAlivesEnabled(false)
	e.events = func(rw http.ResponseWriter, r *http.Request) { answer(rw, r, e.asked.Add(1)) }
	return e
}

// tellEvents answers with events of these ids, nothing after the given one.
func tellEvents(rw http.ResponseWriter, after int64, ids ...int64) {
	page := discovery.EventsPage{Events: []discovery.Event{}, Next: after}
	for _, id := range ids {
		page.Events = append(page.Events, discovery.Event{ID: id, Time: 1, Reason: "brake-on"})
		page.Next = id
	}
	_ = json.NewEncoder(rw).Encode(page)
}

// tellProblem refuses.
func tellProblem(rw http.ResponseWriter, code identity.Code) {
	p := identity.NewProblem(code)
	rw.Header().Set("Content-Type", discovery.ProblemType)
	rw.WriteHeader(p.Status)
	_ = json.NewEncoder(rw).Encode(p)
}

// operatorOf enrols an operator, who then acts on registries outside in the time of
// a bubble.
func (w *world) operatorOf(t *testing.T, liars ...*eventLiar) (inBubble func(*testing.T) *netget.Node) {
	t.Helper()
	var list []*liar
	for _, l := range liars {
		list = append(list, l.liar)
	}
	dir, outside := w.folder(t, "operator", "olga", onList(list...)), time.Now()
	return func(t *testing.T) *netget.Node {
		t.Helper()
		began := time.Now()
		return w.node(t, dir, func(o *netget.Options) { o.Now = func() time.Time { return outside.Add(time.Since(began)) } })
	}
}

func TestFollowingNeverLosesThePastInSilence(t *testing.T) {
	h := &history{}
	for id := int64(20); id < 100_000; id += 10 {
		h.ids = append(h.ids, id)
	}
	const first, all = 70_000, 3000 // the first of them since second 7000, and how many there are
	for failing := int64(1); failing <= 19; failing++ {
		code := identity.Busy
		if failing%2 == 0 {
			code = identity.Unavailable
		}
		t.Run(fmt.Sprintf("%s at question %d", code, failing), func(t *testing.T) {
			w := newWorld(t)
			l := w.newEventLiar(t, "r1", func(rw http.ResponseWriter, r *http.Request, n int64) {
				switch {
				case n == failing:
					tellProblem(rw, code)
				case n > 100:
					tellProblem(rw, identity.Denied) // there is nothing left to be told
				default:
					h.tell(rw, r)
				}
			})
			inBubble := w.operatorOf(t, l)
			synctest.Test(t, func(t *testing.T) {
				operator := inBubble(t)
				var given int64
				err := operator.FollowEvents(t.Context(), netget.EventFilter{Since: time.Unix(first/10, 0)}, func(e netget.Event) error {
					if want := first + 10*given; e.ID != want {
						t.Fatalf("got event %d, want %d", e.ID, want)
					}
					if given++; given == all {
						return errEnough
					}
					return nil
				})
				if refused := given == 0 && identity.CodeOf(err) == code; !refused && !errors.Is(err, errEnough) {
					t.Errorf("got %d events of %d, error %v; want all, or none and the registry's error", given, all, err)
				}
			})
		})
	}
}

func TestFollowingEndsWhereItIsRefusedLater(t *testing.T) {
	w := newWorld(t)
	l := w.newEventLiar(t, "r1", func(rw http.ResponseWriter, _ *http.Request, n int64) {
		switch n {
		case 1:
			tellEvents(rw, 0, 5)
		case 2:
			tellProblem(rw, identity.Denied)
		default:
			tellEvents(rw, 5, 6)
		}
	})
	inBubble := w.operatorOf(t, l)
	synctest.Test(t, func(t *testing.T) {
		operator := inBubble(t)
		err := operator.FollowEvents(t.Context(), netget.EventFilter{}, func(e netget.Event) error {
			if e.ID != 5 {
				return errEnough
			}
			return nil
		})
		if got := identity.CodeOf(err); got != identity.Denied {
			t.Errorf("got error %v of class %q, want %q", err, got, identity.Denied)
		}
	})
}

func TestFollowingTakesNothingOfAnotherRegistry(t *testing.T) {
	w := newWorld(t)
	one := w.newEventLiar(t, "r1", func(rw http.ResponseWriter, _ *http.Request, n int64) {
		switch n {
		case 1:
			tellEvents(rw, 0, 5)
		case 2, 3:
			tellProblem(rw, identity.Unavailable)
		default:
			tellEvents(rw, 5, 6)
		}
	})
	two := w.newEventLiar(t, "r2", func(rw http.ResponseWriter, _ *http.Request, _ int64) { tellEvents(rw, 5, 900) })
	inBubble := w.operatorOf(t, one, two)
	synctest.Test(t, func(t *testing.T) {
		operator := inBubble(t)
		var got []int64
		err := operator.FollowEvents(t.Context(), netget.EventFilter{}, func(e netget.Event) error {
			if got = append(got, e.ID); len(got) == 2 {
				return errEnough
			}
			return nil
		})
		wantError(t, err, errEnough)
		if got[0] != 5 || got[1] != 6 || two.asked.Load() != 0 {
			t.Errorf("got events %d, and %d questions to another registry; want 5 and 6 of the one, and none", got, two.asked.Load())
		}
	})
}
