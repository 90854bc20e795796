package recent_test

import (
	"testing"

	"github.com/neurons-me/netget/internal/recent"
)

// However many come, so many are remembered and no more; who comes again is not
// forgotten.
func TestWhoComesAgainIsRememberedInBoundedMemory(t *testing.T) {
	const most, keys, regular = 10, 1000, -1
	table := recent.New[int, int](most)
	table.Of(regular, func() int { return 7 })
	for key := range keys {
		if got := table.Of(key, func() int { return key }); got != key {
			t.Fatalf("%d is remembered as %d", key, got)
		}
		if got := table.Of(regular, func() int { return 0 }); got != 7 {
			t.Fatalf("after %d others who comes always is forgotten", key)
		}
		if got := table.Len(); got > 2*most {
			t.Fatalf("%d are remembered, want %d at most", got, 2*most)
		}
	}
	if table.Of(0, func() int { return -7 }) != -7 {
		t.Error("who came long ago is still remembered")
	}
}
