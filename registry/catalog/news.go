package catalog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// newsPause is for how long news gather before the store is asked for them, so
// that what waits costs little however much happens.
const newsPause = 250 * time.Millisecond

// news wakes those who wait for events.
type news struct {
	mu      sync.Mutex
	waiting map[*waiter]struct{} // guarded by mu
}

// A waiter waits for an event that a query is about.
type waiter struct {
	query EventQuery
	come  chan struct{} // closed with the first
}

func (n *news) wait(q EventQuery) *waiter {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &waiter{q, make(chan struct{})}
	n.waiting[w] = struct{}{}
	return w
}

func (n *news) forget(w *waiter) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, w)
}

// tell wakes those whom events concern.
func (n *news) tell(events []EventRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 || len(events) == 0 {
		return
	}
	nodes, services := map[identity.NodeID]bool{}, map[string]bool{}
	for i := range events {
		nodes[events[i].Node], services[events[i].Node.Service()] = true, true
	}
	for w := range n.waiting {
		q := &w.query
		if (q.Node.IsZero() || nodes[q.Node]) && (q.Service == "" || services[q.Service]) {
			close(w.come)
			delete(n.waiting, w)
		}
	}
}

// Events returns what happened to nodes, see [Store]. With wait it waits for
// something to tell, until ctx ends; that is no error. A store that does not
// answer is [identity.Unavailable].
func (c *Catalog) Events(ctx context.Context, q EventQuery, wait bool) ([]EventRow, error) {
	for {
		w := c.news.wait(q)
		rows, err := c.readEvents(ctx, q)
		if len(rows) > 0 || err != nil || !wait {
			c.news.forget(w)
			return rows, err
		}
		select {
		case <-ctx.Done():
			c.news.forget(w)
			return nil, nil
		case <-w.come:
			pause(ctx, newsPause)
		}
	}
}

func (c *Catalog) readEvents(ctx context.Context, q EventQuery) ([]EventRow, error) {
	call, cancel := storeContext(ctx)
	defer cancel()
	rows, err := c.store.Events(call, q)
	if err != nil {
		c.stats.storeErrors.Add(1)
		c.log.LogAttrs(ctx, slog.LevelWarn, "events not read", storeAttrs(err)...)
		return nil, identity.Refuse(identity.Unavailable, "reading events: %w", err)
	}
	return rows, nil
}
