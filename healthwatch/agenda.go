package healthwatch

import (
	"container/heap"
	"math"
	"time"
)

// never is a moment that does not come.
const never = time.Duration(math.MaxInt64)

// An agenda says which node is to be looked at when: each node has one place in
// it at most, and none if its wake is never.
type agenda struct{ heap wakes }

// add has a node looked at no later than at. What is planned too early does no
// harm, so nothing is ever put off.
func (a *agenda) add(n *node, at time.Duration) {
	if at >= n.wake {
		return
	}
	planned := n.wake != never
	n.wake = at
	if planned {
		heap.Fix(&a.heap, n.place)
		return
	}
	heap.Push(&a.heap, n)
}

// drop forgets a node.
func (a *agenda) drop(n *node) {
	if n.wake == never {
		return
	}
	heap.Remove(&a.heap, n.place)
	n.wake = never
}

// due takes the next node whose time has come; nil: none.
func (a *agenda) due(now time.Duration) *node {
	if len(a.heap) == 0 || a.heap[0].wake > now {
		return nil
	}
	n := a.heap[0]
	a.drop(n)
	return n
}

// wakes implement heap.Interface; every node knows its place.
type wakes []*node

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].wake < h[j].wake }

func (h wakes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *wakes) Push(x any) {
	n := x.(*node) //nolint:forcetypeassert,errcheck // only nodes are pushed
	n.place = len(*h)
	*h = append(*h, n)
}

func (h *wakes) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
