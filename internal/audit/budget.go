package audit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/internal/recent"
)

// What one actor may cause: the diary is bounded on disk, and nobody shall push
// the others out of it. What is left out is told by the actor's next entry.
const (
	actorRate  = 0.2 // entries a second
	actorBurst = 50

	// maxActors bounds the actors that are remembered; twice as many may be for
	// a while.
	maxActors = 32_768
)

// A Budget bounds how many entries of one kind or actor are written. It is safe
// for concurrent use.
type Budget struct {
	mu      sync.Mutex
	limiter *rate.Limiter
	leftOut int64 // guarded by mu; since the last entry that was written
}

// NewBudget returns a budget of so many entries a second, and at once.
func NewBudget(each rate.Limit, burst int) *Budget {
	return &Budget{limiter: rate.NewLimiter(each, burst)}
}

// Spend reports whether an entry may be written, and how many were left out
// since the last one.
func (b *Budget) Spend(now time.Time) (leftOut int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.limiter.AllowN(now, 1) {
		b.leftOut++
		return 0, false
	}
	leftOut, b.leftOut = b.leftOut, 0
	return leftOut, true
}

// Budgets bound how many entries each actor may cause. It is safe for concurrent
// use.
type Budgets struct {
	mu     sync.Mutex
	actors *recent.Table[string, *Budget] // guarded by mu
}

// NewBudgets returns the budgets of actors of whom none is known yet.
func NewBudgets() *Budgets {
	return &Budgets{actors: recent.New[string, *Budget](maxActors)}
}

// Spend is [Budget.Spend] of an actor.
func (b *Budgets) Spend(actor string, now time.Time) (leftOut int64, ok bool) {
	return b.of(actor).Spend(now)
}

func (b *Budgets) of(actor string) *Budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.actors.Of(actor, func() *Budget { return NewBudget(actorRate, actorBurst) })
}
