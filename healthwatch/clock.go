package healthwatch

import "time"

const (
	// tick is how often the watch looks at the clock.
	tick = 200 * time.Millisecond
	// starved is how much later than it wanted the watch may look: what is above
	// was lost to this process, and no node is to blame.
	starved = time.Second
	// away is from when on the process was not there at all: it gives every node
	// the time to be heard again.
	away = 5 * time.Second
)

// A clock goes forward while this process runs, and stands still while it is
// stopped or starved. Its zero value is not usable.
type clock struct {
	source func() time.Duration
	seen   time.Duration // the source's newest
	lost   time.Duration // what does not count
	ticks  bool          // it is asked at every tick: what is between two is a gap
}

// now returns the clock's time, and how much was lost since it was last asked.
func (c *clock) now() (now, lost time.Duration) {
	at := c.source()
	if gap := at - c.seen; c.ticks && gap > starved {
		lost = gap - tick
		c.lost += lost
	}
	c.seen = max(c.seen, at)
	return c.seen - c.lost, lost
}

// processClock returns a clock of this process that goes on while the machine
// sleeps. One goroutine at a time may ask it.
func processClock() func() time.Duration {
	start := time.Now()
	var s sleeps
	return func() time.Duration {
		now := time.Now()
		return s.add(now.Round(0).Sub(start.Round(0)), now.Sub(start))
	}
}

// sleeps make one clock of two: the wall clock, which can be set, and the
// monotonic one, which stands still while the machine sleeps.
type sleeps struct {
	ahead time.Duration // of the wall clock, when last seen
	total time.Duration
}

// add returns the monotonic time and what was slept. That the wall clock was set
// forward looks the same, and costs no more than some patience; that it was set
// back does not count.
func (s *sleeps) add(wall, monotonic time.Duration) time.Duration {
	ahead := wall - monotonic
	if gained := ahead - s.ahead; gained >= away {
		s.total += gained
	}
	s.ahead = ahead
	return monotonic + s.total
}
