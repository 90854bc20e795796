package netget_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
)

func TestBackoffIsBoundedByTheHeartbeatInterval(t *testing.T) {
	failure := errors.New("connection refused")
	for _, row := range []struct {
		name        string
		failures    int
		most        time.Duration
		err         error
		least, till time.Duration
	}{
		{"a first failure waits about a second", 1, 0, failure, 875 * time.Millisecond, 1125 * time.Millisecond},
		{"many failures wait about a minute", 100, 0, failure, 52 * time.Second, 68 * time.Second},
		{"a record that is held waits no longer than its interval", 100, 15 * time.Second, failure, 11 * time.Second, 15 * time.Second},
		{"the shortest interval is a second", 100, time.Second, failure, 750 * time.Millisecond, time.Second},
		{"a registry that asks for time gets it", 100, time.Second, busy(20 * time.Second), 20 * time.Second, 23 * time.Second},
		{"but not more than a minute", 1, 0, busy(time.Hour), time.Minute, 68 * time.Second},
	} {
		for range 200 {
			if got := netget.Backoff(row.failures, row.most, row.err); got < row.least || got > row.till {
				t.Errorf("%s: got %s, want %s to %s", row.name, got, row.least, row.till)
			}
		}
	}
}

func busy(after time.Duration) error {
	return &identity.ProblemError{Problem: identity.NewProblem(identity.Busy), RetryAfter: after}
}

func TestHeartbeatsAttemptIsBoundedByItsInterval(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		time.Second: 2 * time.Second, 15 * time.Second: 3750 * time.Millisecond, time.Hour: 10 * time.Second,
	} {
		if got := netget.AttemptTime(interval); got != want {
			t.Errorf("interval %s: got %s, want %s", interval, got, want)
		}
	}
}

// The time of this test passes while everybody waits; the registry, outside, is
// gone for all of it.
func TestNodeTriesALostRegistryOnceAnInterval(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	dir := w.folder(t, "svc", "n-1", onList(l))
	outside := time.Now()
	const interval = 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		failures := &failureLog{}
		n := w.node(t, dir, func(o *netget.Options) {
			o.HeartbeatInterval, o.Logger = interval, slog.New(failures)
			o.Now = func() time.Time { return outside.Add(time.Since(began)) }
		})
		register(t, n)
		l.server.Close()
		time.Sleep(10 * time.Minute)
		if err := n.Close(); err == nil {
			t.Error("deregistered at nobody")
		}
		failures.mu.Lock()
		defer failures.mu.Unlock()
		last := began
		for _, at := range failures.at {
			if gap := at.Sub(last); gap > 2*interval {
				t.Errorf("%s without an attempt at %s", gap, at.Sub(began))
			}
			last = at
		}
		if got := len(failures.at); got > 170 { // after 1, 2 and 4 s, and then each 3.75 to 5 s
			t.Errorf("%d attempts in ten minutes are more than one an interval", got)
		}
		if gap := began.Add(10 * time.Minute).Sub(last); gap > 2*interval {
			t.Errorf("the last attempt was %s before the end", gap)
		}
	})
}

// A hung registry is one that takes connections and says nothing. Each attempt may
// take 2 s there, and a machine that is busy may need longer; without that limit it
// would be the 5 s of any request. So the shortest of them tells.
func TestNodeGivesAHungRegistryUpInTimeForTheNextHeartbeat(t *testing.T) {
	w := newWorld(t)
	l := newLiar(t, w.ca, "r1")
	n := w.node(t, w.folder(t, "svc", "n-1", onList(l)))
	register(t, n)
	lasted := make(chan time.Duration, 100)
	l.hangs(func(_ http.ResponseWriter, r *http.Request) {
		asked := time.Now()
		<-r.Context().Done() // the node has given up
		lasted <- time.Since(asked)
	})
	shortest := time.Hour
	for attempt := range 3 {
		select {
		case d := <-lasted:
			shortest = min(shortest, d)
		case <-time.After(patience):
			t.Fatalf("attempt %d does not come to an end", attempt+1)
		}
	}
	l.hangs(nil)
	if shortest > 3500*time.Millisecond {
		t.Errorf("of three attempts none was given up within %s, want 2 s for each", shortest)
	}
}

// A failureLog notes when a registry failed.
type failureLog struct {
	slog.Handler

	mu sync.Mutex
	at []time.Time
}

func (*failureLog) Enabled(context.Context, slog.Level) bool { return true }

func (f *failureLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "registry failed" {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.at = append(f.at, time.Now())
	}
	return nil
}
