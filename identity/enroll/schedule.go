package enroll

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	firstDelay   = 2 * time.Second
	longestDelay = 5 * time.Minute
	// longestRetry bounds what an authority can make a node wait: longer than
	// any real overload.
	longestRetry = 15 * time.Minute
	leastTries   = 20               // that a failing renewal has at any time before the end
	shortestRest = 30 * time.Second // after a renewal, however short the new life
)

// RenewAt returns when an identity is due for renewal: at half of the life of
// the certificate that comes to it first, later by up to a twentieth of that
// life. How much later follows from the certificate: nodes that enrolled
// together do not renew together, and every program that asks is told the same.
func RenewAt(i *identity.Identity) time.Time {
	at := renewAt(i.Credential)
	if i.Signing != nil {
		if signing := renewAt(i.Signing); signing.Before(at) {
			return signing
		}
	}
	return at
}

func renewAt(c *identity.Credential) time.Time {
	const jitterPart = 20
	return halfLife(c).Add(time.Duration(spread(c.Thumbprint(), 0) * float64(lifeOf(c)/jitterPart)))
}

func halfLife(c *identity.Credential) time.Time { return c.Leaf().NotBefore.Add(lifeOf(c) / 2) }

func lifeOf(c *identity.Credential) time.Duration {
	return c.Leaf().NotAfter.Sub(c.Leaf().NotBefore)
}

// endOf returns when the first of the identity's certificates ends.
func endOf(i *identity.Identity) time.Time {
	end := i.Credential.Leaf().NotAfter
	if i.Signing != nil && i.Signing.Leaf().NotAfter.Before(end) {
		return i.Signing.Leaf().NotAfter
	}
	return end
}

// attempts is what the schedule remembers: the last renewal, and the failures
// since.
type attempts struct {
	failures   int
	last       time.Time     // when the last one ended; zero: none yet
	retryAfter time.Duration // what the authority asked for then
}

// due returns when to try next, given what was tried for i: the whole schedule.
// A failure is followed by delays that double from seconds to minutes, but
// always so short that many tries remain before the certificates end.
func (a attempts) due(i *identity.Identity) time.Time {
	if a.failures == 0 {
		at := RenewAt(i)
		if rested := a.last.Add(shortestRest); !a.last.IsZero() && at.Before(rested) {
			return rested
		}
		return at
	}
	delay := longestDelay
	if doublings := a.failures - 1; doublings < 8 {
		delay = min(delay, firstDelay<<doublings)
	}
	if left := endOf(i).Sub(a.last); left > 0 {
		delay = min(delay, max(left/leastTries, time.Second))
	}
	delay += time.Duration(spread(i.Credential.Thumbprint(), a.failures) * float64(delay) / 4)
	return a.last.Add(max(delay, a.retryAfter))
}

// after returns the schedule's memory after a failure at now.
func (a attempts) after(err error, now time.Time) attempts {
	next := attempts{failures: a.failures + 1, last: now}
	if p, ok := errors.AsType[*identity.ProblemError](err); ok {
		next.retryAfter = min(p.RetryAfter, longestRetry)
	}
	return next
}

// spread returns a number of [0, 1) that differs from node to node.
func spread(seed identity.Hash, n int) float64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(seed[:], uint64(n))) //nolint:gosec // any bits will do
	return float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
}
