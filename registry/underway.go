package registry

import (
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// maxUnderWay bounds the requests of one identity that are under way, whatever
// the number of its connections (docs/protocol.md section 6).
const maxUnderWay = maxStreams

// underWay counts the requests under way of each identity. It is apart from the
// budgets, which are forgotten: it holds no more than there are requests.
type underWay struct {
	mu sync.Mutex
	of map[identity.NodeID]int // guarded by mu; none is zero
}

func newUnderWay() *underWay { return &underWay{of: map[identity.NodeID]int{}} }

// begin takes one request in, or returns a [*busyError]. The caller calls end
// after.
func (u *underWay) begin(id identity.NodeID) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of[id] >= maxUnderWay {
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
