package healthwatch

import (
	"context"
	"sync"
	"time"
)

// Begin and Step are what Run does, at moments that a simulation chooses.
func (w *Watch) Begin() { w.begin() }

// Step is one turn of Run's loop.
func (w *Watch) Step(ctx context.Context, probes *sync.WaitGroup) { w.step(ctx, probes) }

// SleepingClock returns the clock that is made of a wall clock and a monotonic
// one.
func SleepingClock() func(wall, monotonic time.Duration) time.Duration {
	var s sleeps
	return s.add
}
