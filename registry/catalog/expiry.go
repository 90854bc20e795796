package catalog

import (
	"container/heap"
	"slices"

	"github.com/neurons-me/netget/identity"
)

// An expiry is when a record ends.
type expiry struct {
	at   int64
	node identity.NodeID
	rid  identity.Hash
}

// expiries is a heap of the ends of all listed records. Entries of records that
// were replaced meanwhile stay until their time has come.
type expiries struct{ heap expiryHeap }

func (e *expiries) add(s *identity.Statement) {
	heap.Push(&e.heap, expiry{s.ExpiresAt(), s.Node(), s.RID()})
}

// first returns when the next record ends; ok is false if there is none.
func (e *expiries) first() (at int64, ok bool) {
	if len(e.heap) == 0 {
		return 0, false
	}
	return e.heap[0].at, true
}

// compact drops entries that hold no longer, once they are the most.
func (e *expiries) compact(listed int, holds func(expiry) bool) {
	const spare = 1024
	if len(e.heap) < 2*listed+spare {
		return
	}
	e.heap = slices.DeleteFunc(e.heap, func(x expiry) bool { return !holds(x) })
	heap.Init(&e.heap)
}

// due takes the next record that is over at now.
func (e *expiries) due(now int64) (expiry, bool) {
	if at, ok := e.first(); !ok || at > now {
		return expiry{}, false
	}
	return heap.Pop(&e.heap).(expiry), true //nolint:forcetypeassert,errcheck // the heap holds nothing else
}

// expiryHeap implements heap.Interface.
type expiryHeap []expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h expiryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *expiryHeap) Push(x any)        { *h = append(*h, x.(expiry)) } //nolint:forcetypeassert,errcheck // only expiries are pushed
func (h *expiryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
