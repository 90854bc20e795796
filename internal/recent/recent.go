// Package recent remembers things by key for those who came last, in bounded
// memory: what each address or identity may still do, which a stranger can be
// by the million.
package recent

// A Table holds values by key in two generations. When one is full it becomes
// the old one, and who does not come until the next is full starts anew. It is
// not safe for concurrent use.
type Table[K comparable, V any] struct {
	most     int
	now, old map[K]V
}

// New returns a table for at least most keys, and at most twice as many.
func New[K comparable, V any](most int) *Table[K, V] {
	return &Table[K, V]{most: most, now: map[K]V{}}
}

// Of returns what is remembered for a key, which is what fresh returns for one
// that nobody remembers.
func (t *Table[K, V]) Of(key K, fresh func() V) V {
	if found, ok := t.now[key]; ok {
		return found
	}
	found, ok := t.old[key]
	if !ok {
		found = fresh()
	}
	if len(t.now) >= t.most {
		t.old, t.now = t.now, map[K]V{}
	}
	t.now[key] = found
	return found
}

// Clear forgets all.
func (t *Table[K, V]) Clear() {
	clear(t.now)
	clear(t.old)
}

// Len returns how many keys are remembered, those in both generations twice.
func (t *Table[K, V]) Len() int { return len(t.now) + len(t.old) }
