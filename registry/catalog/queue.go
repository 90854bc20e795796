package catalog

import (
	"net/netip"
	"sync"

	"github.com/neurons-me/netget/identity"
)

// maxWaiting bounds how many statements may wait for the committer.
const maxWaiting = 16384

// An entry is a statement that waits for the committer.
type entry struct {
	statement *identity.Statement
	actor     identity.NodeID // the TLS peer who brought it
	from      netip.Addr      // from where
	done      chan result     // buffered: the committer never waits
}

type result struct {
	outcome *Outcome
	err     error
}

func (e *entry) answer(o *Outcome, err error) { e.done <- result{o, err} }

// A queue is what waits for the committer.
type queue struct {
	wake chan struct{} // holds one token while something waits

	mu      sync.Mutex
	entries []*entry // guarded by mu
	closed  error    // why nothing is taken any more; guarded by mu
}

// push puts e at the end: [identity.Busy] if too many wait, [identity.Unavailable]
// after close.
func (q *queue) push(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	if len(q.entries) >= maxWaiting {
		return identity.Refuse(identity.Busy, "%d statements wait already", len(q.entries))
	}
	q.entries = append(q.entries, e)
	q.poke()
	return nil
}

// poke wakes the committer.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns all that waits.
func (q *queue) take() []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.entries
	q.entries = nil
	return taken
}

// close makes every later push fail with err and returns what still waits.
func (q *queue) close(err error) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = err
	taken := q.entries
	q.entries = nil
	return taken
}
