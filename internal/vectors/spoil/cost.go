package spoil

import (
	"runtime/metrics"
	"testing"
)

// Cost returns how many bytes of memory work allocates, as far as nothing else
// runs beside it; what small objects leave unused of their pages is not told.
func Cost(work func()) uint64 {
	before := allocated()
	work()
	return allocated() - before
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Bounded runs work, which reads an input of so many bytes, and fails the test
// if it allocates more than factor bytes for each, beside what nothing costs.
func Bounded(tb testing.TB, input int, factor uint64, work func()) {
	tb.Helper()
	const nothing = 4 << 20                                                  // parsing a few certificates, maps that grow
	if cost, most := Cost(work), nothing+factor*uint64(input); cost > most { //nolint:gosec // no length is negative
		tb.Errorf("%d bytes of input cost %d bytes of memory, more than %d", input, cost, most)
	}
}
