package registry

import (
	"container/heap"
	"container/list"
	"sync"

	"github.com/neurons-me/netget/identity"
)

// unsent are the bodies of responses under way. A body that many read counts
// once; but each version of a service has its own, and a caller who reads slowly
// keeps it alive. So there is a limit, above which responses end: the oldest of
// the identity that keeps most, so that nobody pays for another.
type unsent struct {
	most int64

	mu     sync.Mutex
	parts  holdings                    // guarded by mu; of all
	owners map[identity.NodeID]*holder // guarded by mu; those with a response under way
	heap   holders                     // guarded by mu; the owners
	cut    int64                       // guarded by mu; responses ended so far
}

// A holder is an identity with responses under way.
type holder struct {
	id     identity.NodeID
	parts  holdings
	oldest list.List // of *sending, the oldest first
	place  int       // in the heap
}

// A sending is one response under way.
type sending struct {
	owner *holder
	parts [][]byte
	end   func() error  // ends the connection
	place *list.Element // nil when it is over
}

func newUnsent(most int64) *unsent {
	return &unsent{most: most, parts: newHoldings(), owners: map[identity.NodeID]*holder{}}
}

// begin notes that a body is being sent to an identity; end ends its connection.
// The caller calls [unsent.done] after.
func (u *unsent) begin(to identity.NodeID, parts [][]byte, end func() error) *sending {
	s := &sending{parts: parts, end: end}
	for _, old := range u.add(to, s) {
		_ = old.end() // it has had its time
	}
	return s
}

// add returns the responses that have to end.
func (u *unsent) add(to identity.NodeID, s *sending) (over []*sending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.owner = u.owners[to]; s.owner == nil {
		s.owner = &holder{id: to, parts: newHoldings()}
		u.owners[to] = s.owner
		heap.Push(&u.heap, s.owner)
	}
	u.parts.add(s.parts)
	s.owner.parts.add(s.parts)
	s.place = s.owner.oldest.PushBack(s)
	heap.Fix(&u.heap, s.owner.place)
	for u.parts.bytes > u.most {
		old := u.next(s)
		if old == nil {
			break
		}
		u.drop(old)
		u.cut++
		over = append(over, old)
	}
	return over
}

// next returns the response that ends first: the oldest of the holder of most
// but s, which has just begun. The caller holds mu.
func (u *unsent) next(s *sending) *sending {
	for _, h := range u.heap.most() {
		if old, ok := h.oldest.Front().Value.(*sending); ok && old != s {
			return old
		}
	}
	return nil
}

// done notes that a response is over.
func (u *unsent) done(s *sending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(s)
}

// drop forgets a response, once. The caller holds mu.
func (u *unsent) drop(s *sending) {
	if s.place == nil {
		return
	}
	s.owner.oldest.Remove(s.place)
	s.place = nil
	u.parts.remove(s.parts)
	s.owner.parts.remove(s.parts)
	if s.owner.oldest.Len() > 0 {
		heap.Fix(&u.heap, s.owner.place)
		return
	}
	heap.Remove(&u.heap, s.owner.place)
	delete(u.owners, s.owner.id)
}

// numbers returns the bytes that are held now, and how many responses were
// ended for them.
func (u *unsent) numbers() (bytes, cut int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.parts.bytes, u.cut
}
