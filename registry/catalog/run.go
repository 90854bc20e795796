package catalog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/neurons-me/netget/identity"
)

// How often what may lag behind is written.
const (
	flushEvery  = time.Second
	forgetEvery = 10 * time.Minute
	pruneEvery  = time.Hour

	history = 30 * 24 * time.Hour // for how long leaves and change lists are kept
)

// Run commits what is submitted, signs heads again, removes what is over and
// writes heartbeats, until ctx ends. Then it commits and flushes what it had
// taken and returns nil; statements submitted later are [identity.Unavailable].
// An error means that the network is no longer served, see [DivergedError]: the
// last head is not signed again.
func (c *Catalog) Run(ctx context.Context) error {
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() { c.every(side, flushEvery, c.flush) })
	helpers.Go(func() { c.every(side, pruneEvery, c.prune) })
	watching, blind := context.WithCancel(ctx) // what stops listens to no more wishes
	if c.health != nil {
		helpers.Go(func() { c.keepWatch(watching) })
	}
	err := c.commitOrFail(ctx)
	if err != nil {
		c.fail(err)
		c.log.LogAttrs(ctx, slog.LevelError, "network not served any more", slog.String("reason", err.Error()))
	}
	c.dismiss()
	blind()
	stop()
	helpers.Wait()
	c.guarded(context.WithoutCancel(ctx), c.flush)
	return err
}

// keepWatch lets the health watch judge until ctx ends, also after a bug of it.
func (c *Catalog) keepWatch(ctx context.Context) {
	for ctx.Err() == nil {
		c.guarded(ctx, c.health.Run)
		pause(ctx, flushEvery)
	}
}

// commitAll is the committer: one goroutine that owns the state.
func (c *Catalog) commitAll(ctx context.Context) error {
	for {
		changed := c.source.Changed()
		if err := c.cycle(ctx, c.queue.take()); err != nil {
			return err
		}
		c.forget()
		timer := time.NewTimer(c.idle())
		select {
		case <-ctx.Done():
			timer.Stop()
			return c.cycle(ctx, c.queue.close(identity.Refuse(identity.Unavailable, "the registry is stopping")))
		case <-c.queue.wake:
		case <-changed:
		case m := <-c.marks:
			timer.Stop()
			if err := c.judgeMark(m); err != nil {
				return err
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idle returns for how long there is nothing to do unless something comes.
func (c *Catalog) idle() time.Duration {
	next := c.signAt
	if at, ok := c.expiries.first(); ok && c.doubt == nil {
		next = earlier(next, time.Unix(at, 0))
	}
	if c.doubt != nil {
		next = earlier(next, c.retryAt)
	}
	// The clock may be set, and a timer does not notice.
	return min(max(next.Sub(c.now()), time.Millisecond), resignEvery)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// forget drops from memory what need not be remembered any more.
func (c *Catalog) forget() {
	now := c.now()
	if now.Before(c.forgetAt) {
		return
	}
	c.forgetAt = now.Add(forgetEvery)
	c.places.forget(now.Unix())
	listed := c.places.listed()
	if c.shown == c.state { // else what is shown may not be listed any more, and beats
		c.beats.sweep(listed)
	}
	c.expiries.compact(len(listed), func(x expiry) bool {
		_, still := listed[x.rid]
		return still
	})
}

// every calls do at each interval until ctx ends.
func (c *Catalog) every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.guarded(ctx, do)
		}
	}
}

// flush writes what is kept outside of the versions: heartbeats and the file
// with the newest head.
func (c *Catalog) flush(ctx context.Context) {
	call, cancel := storeContext(ctx)
	defer cancel()
	err := c.beats.flush(call, c.store)
	if err != nil {
		c.stats.storeErrors.Add(1)
	}
	if err != nil && !c.beatsFailed { // once: the next try is a second away
		c.log.LogAttrs(ctx, slog.LevelWarn, "heartbeats not stored yet", storeAttrs(err)...)
	}
	c.beatsFailed = err != nil
	c.writeHeadFile(ctx)
}

// prune lets the store forget what is older than the protocol asks to keep.
func (c *Catalog) prune(ctx context.Context) {
	now := c.now().Unix()
	h := Horizon{Made: now - int64(history/time.Second), IAT: now - identity.RememberUntil(0), Events: keptEvents}
	if err := c.store.Prune(ctx, h); err != nil && ctx.Err() == nil {
		c.stats.storeErrors.Add(1)
		c.log.LogAttrs(ctx, slog.LevelWarn, "store not pruned", storeAttrs(err)...)
	}
}
