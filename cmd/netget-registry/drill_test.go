package main_test

import (
	"fmt"
	"slices"
	"time"
)

// A spread is a number of durations. The zero Spread has none.
type spread []time.Duration

// part returns the duration below which a part of all is, such as 0.99; 0 of
// none.
func (s spread) part(p float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

// ms is a duration in milliseconds, for reports.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
