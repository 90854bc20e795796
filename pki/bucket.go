package pki

import (
	"time"

	"golang.org/x/time/rate"
)

// A bucket holds what somebody may still do. It fills by itself, and what was
// taken can be given back, which [rate.Limiter] does not know for what has
// happened already.
type bucket struct {
	rate  float64 // a second
	burst float64
	left  float64
	at    time.Time // as of then
}

func newBucket(limit rate.Limit, burst int, now time.Time) bucket {
	return bucket{rate: float64(limit), burst: float64(burst), left: float64(burst), at: now}
}

// take takes one and reports whether there was one.
func (b *bucket) take(now time.Time) bool {
	b.left = min(b.burst, b.left+b.rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// give gives one back.
func (b *bucket) give() { b.left = min(b.burst, b.left+1) }
