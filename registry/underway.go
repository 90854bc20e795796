package registry

import (
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// What one identity may have under way, whatever the number of its connections
// (docs/protocol.md section 6).
const (
	maxUnderWay = maxStreams // requests
	maxWaits    = 4          // of these, those that wait for news
)

// underWay counts the requests under way of each identity. It is apart from the
// budgets, which are forgotten: it holds no more than there are requests.
type underWay struct {
	most int // of one identity

	mu sync.Mutex
	of map[identity.NodeID]int // guarded by mu; none is zero
}

func newUnderWay(most int) *underWay { return &underWay{most: most, of: map[identity.NodeID]int{}} }

// begin takes one request in, or returns a [*busyError]. The caller calls end
// after.
func (u *underWay) begin(id identity.NodeID) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of[id] >= u.most {
		return nil, &busyError{time.Second} // nobody knows when one ends
	}
	u.of[id]++
	return func() { u.end(id) }, nil
}

func (u *underWay) end(id identity.NodeID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of[id]--; u.of[id] == 0 {
		delete(u.of, id)
	}
}
