package registry

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/recent"
)

// Limits of one request and of one identity (docs/protocol.md section 6).
const (
	maxBodyBytes = 64 << 10

	recordRate  = 1 // a second
	recordBurst = 10
	beatBurst   = 2 // an interval of the record's heartbeat

	// What an identity sends, on all its connections: a few times what the
	// requests that it may make can have. HTTP/2 has messages that ask nothing.
	byteRate  = 256 << 10 // a second
	byteBurst = 1 << 20

	// maxBudgets bounds the identities that are remembered; twice as many
	// may be for a while.
	maxBudgets = 32_768
)

// A budget is what one identity may still do.
type budget struct{ records, beats, reads, bytes *rate.Limiter }

// budgets hold the budget of each identity that called lately.
type budgets struct {
	reads rate.Limit
	burst int

	mu   sync.Mutex
	kept *recent.Table[identity.NodeID, *budget] // guarded by mu
}

func newBudgets(reads float64, burst int) *budgets {
	return &budgets{reads: rate.Limit(reads), burst: burst, kept: recent.New[identity.NodeID, *budget](maxBudgets)}
}

// of returns the budget of an identity.
func (b *budgets) of(id identity.NodeID) *budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.Of(id, func() *budget {
		return &budget{
			records: rate.NewLimiter(recordRate, recordBurst),
			beats:   rate.NewLimiter(beatBurst, beatBurst),
			reads:   rate.NewLimiter(b.reads, b.burst),
			bytes:   rate.NewLimiter(byteRate, byteBurst),
		}
	})
}

// A busyError says that an identity asks too much; it may try again after a
// while.
type busyError struct{ after time.Duration }

// Error tells the time.
func (e *busyError) Error() string {
	return fmt.Sprintf("too many requests; free again in %s", e.after)
}

// spend takes one from a limiter, or returns a [*busyError]. What is refused
// takes nothing, however many ask at once.
func spend(l *rate.Limiter, now time.Time) error {
	if l.AllowN(now, 1) {
		return nil
	}
	missing := 1 - l.TokensAt(now)
	wait := time.Duration(missing / float64(l.Limit()) * float64(time.Second))
	return &busyError{max(wait, time.Millisecond)} // another may have asked a little later
}

// spendBeat is [spend] for a heartbeat of a record with that interval.
func (b *budget) spendBeat(interval time.Duration, now time.Time) error {
	if limit := rate.Every(interval / beatBurst); limit != b.beats.Limit() {
		b.beats.SetLimitAt(now, limit)
	}
	return spend(b.beats, now)
}
