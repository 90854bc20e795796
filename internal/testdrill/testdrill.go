// Package testdrill is what the drills share: tests that measure, and whose whole
// form docs/performance.md describes.
package testdrill

import (
	"fmt"
	"os"
	"testing"
)

// variable makes the drills as large as the document says, when it is "full".
// Otherwise they are small enough to run with every other test, and show only
// what is true on any machine.
const variable = "NETGET_DRILL"

// Full reports whether the whole drill is wanted.
func Full(t *testing.T) bool {
	t.Helper()
	switch value := os.Getenv(variable); value {
	case "":
		return false
	case "full":
		return true
	default:
		t.Fatalf("%s is %q, want full", variable, value)
		return false
	}
}

// Say adds a line to the report of a drill, which go test shows with -v.
func Say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(t.Output(), format+"\n", args...); err != nil {
		t.Error(err)
	}
}

// Verdict names how a figure stands to its limit. Limits in time and memory are
// printed only: they depend on the machine.
func Verdict(met bool) string {
	if met {
		return "PASS"
	}
	return "FAIL"
}
