package pki

import (
	"sync"
	"time"

	diary "github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/recent"
)

// maxBudgets bounds the budgets that are remembered: three of each network, and
// one of each registry that has signed two logs.
const maxBudgets = 4096

// budgets bound how many refusals are written to the log. Those who can cause
// one kind without end hide neither another kind, nor what another registry or
// another network did.
type budgets struct {
	most limits

	mu   sync.Mutex
	kept *recent.Table[budgetKey, *diary.Budget] // guarded by mu
}

// A budgetKey names what has a budget of its own.
type budgetKey struct {
	event   diary.Event
	network string
	peer    string // the registry of a head-conflict; "" for all other events
}

func newBudgets(most limits) *budgets {
	return &budgets{most: most, kept: recent.New[budgetKey, *diary.Budget](maxBudgets)}
}

// spend reports whether an entry may be written, and how many of its budget
// were left out before it.
func (b *budgets) spend(key budgetKey) (leftOut int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.Of(key, func() *diary.Budget { return diary.NewBudget(b.most.logged, b.most.loggedAtBurst) }).Spend(time.Now())
}

// budgetOf is what pays for the log entry of a refusal. Only a registry that has
// shown its certificate gets as far as a head-conflict, so that there are no more
// of those budgets than registries were enrolled.
func budgetOf(event diary.Event, c call) budgetKey {
	key := budgetKey{event: event, network: c.network.name()}
	if event == diary.HeadConflict {
		key.peer = c.caller()
	}
	return key
}
