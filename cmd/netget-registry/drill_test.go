package main_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// drillVar makes the drills as large as docs/performance.md says, when it is
// "full". Otherwise they are small enough to run with every other test, and
// show only what is true on any machine.
const drillVar = "NETGET_DRILL"

// full reports whether the whole drill is wanted.
func full(t *testing.T) bool {
	t.Helper()
	switch value := os.Getenv(drillVar); value {
	case "":
		return false
	case "full":
		return true
	default:
		t.Fatalf("%s is %q, want full", drillVar, value)
		return false
	}
}

// say adds a line to the report of a drill, which go test shows with -v.
func say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(t.Output(), format+"\n", args...); err != nil {
		t.Error(err)
	}
}

// verdict names how a figure stands to its limit. Limits in time and memory
// are printed only: they depend on the machine.
func verdict(met bool) string {
	if met {
		return "PASS"
	}
	return "FAIL"
}

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
