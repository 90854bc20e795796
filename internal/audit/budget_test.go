package audit_test

import (
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/audit"
)

func TestOneActorCannotFillTheDiary(t *testing.T) {
	b := audit.NewBudgets()
	now := time.Unix(1_800_000_000, 0)
	written := 0
	for range 1000 {
		if _, ok := b.Spend("loud", now); ok {
			written++
		}
	}
	if written != 50 {
		t.Errorf("1,000 entries at once: %d were written, want 50", written)
	}
	if leftOut, ok := b.Spend("quiet", now); !ok || leftOut != 0 {
		t.Errorf("another actor: got %d, %t", leftOut, ok)
	}
	if leftOut, ok := b.Spend("loud", now.Add(5*time.Second)); !ok || leftOut != 950 {
		t.Errorf("after 5 s: %d were left out, %t, want 950, true", leftOut, ok)
	}
	if leftOut, ok := b.Spend("loud", now.Add(10*time.Second)); !ok || leftOut != 0 {
		t.Errorf("told twice: %d were left out, %t", leftOut, ok)
	}
}
