package netget

import (
	"errors"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	minBackoff     = time.Second
	maxBackoff     = time.Minute
	minAttempt     = 2 * time.Second // what a heartbeat gets at least
	requestTimeout = 10 * time.Second
)

// backoff is how long to wait after so many failures in a row, the last of them
// err. It doubles from a second to a minute, but never above most where that is
// not 0, and is spread by a quarter, so that many who failed at once do not come
// back at once. A server that says when to come back is believed.
func backoff(failures int, most time.Duration, err error) time.Duration {
	d := min(maxBackoff, minBackoff<<min(failures-1, 10))
	d = d - d/8 + randomBelow(d/4)
	if most != 0 && d > most {
		d = most - randomBelow(most/4)
	}
	if problem, ok := errors.AsType[*identity.ProblemError](err); ok && problem.RetryAfter > 0 {
		asked := min(problem.RetryAfter, maxBackoff)
		d = max(d, asked+randomBelow(asked/8))
	}
	return d
}

// attemptTime is what one attempt may take at a registry that holds a record with
// such heartbeats. One that hangs leaves time for others before the registry takes
// the node for dead, after three intervals.
func attemptTime(interval time.Duration) time.Duration {
	return min(requestTimeout, max(minAttempt, interval/4))
}

// beatInterval is how often the record promises a heartbeat.
func (s *signed) beatInterval() time.Duration {
	return time.Duration(s.record.Heartbeat.Interval) * time.Second
}
