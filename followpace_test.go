package netget_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

// The registry does not hold its answers back, is away for ten minutes, and comes
// back. Time passes only while nobody asks, so the questions can be counted.
func TestFollowingAsksOnceASecondAndLessOftenWhileTheRegistryIsAway(t *testing.T) {
	const (
		there, away = 2 * time.Minute, 10 * time.Minute
		tooMany     = 1000 // questions: that ends a test whose time would stand still
	)
	w := newWorld(t)
	var phase atomic.Value // identity.Code: how the registry answers; "" is well
	phase.Store(identity.Code(""))
	l := w.newEventLiar(t, "r1", func(rw http.ResponseWriter, _ *http.Request, n int64) {
		code, _ := phase.Load().(identity.Code)
		switch {
		case n > tooMany:
			tellProblem(rw, identity.Denied)
		case code != "":
			tellProblem(rw, code)
		default:
			tellEvents(rw, 0)
		}
	})
	inBubble := w.operatorOf(t, l)
	synctest.Test(t, func(t *testing.T) {
		operator := inBubble(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- operator.FollowEvents(ctx, netget.EventFilter{}, func(netget.Event) error { return nil })
		}()
		for _, row := range []struct {
			name      string
			code      identity.Code
			lasts     time.Duration
			few, many int64
		}{
			{"while it answers at once", "", there, 119, 121},
			{"while it is away", identity.Unavailable, away, 60, 85}, // each 7.5 to 10 s, after 1, 2, 4 and 8
			{"when it is back", "", there, 109, 121},                 // at most 10 s later
		} {
			phase.Store(row.code)
			before := l.asked.Load()
			time.Sleep(row.lasts)
			if asked := l.asked.Load() - before; asked < row.few || asked > row.many {
				t.Errorf("%s: %d questions in %s, want %d to %d", row.name, asked, row.lasts, row.few, row.many)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("following ended with %v, want nil", err)
		}
	})
}
