package netget

import "time"

// Backoff is how long a publisher waits after failures.
func Backoff(failures int, most time.Duration, err error) time.Duration {
	return backoff(failures, most, err)
}

// AttemptTime is what a heartbeat may take.
func AttemptTime(interval time.Duration) time.Duration { return attemptTime(interval) }
