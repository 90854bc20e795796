package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"github.com/neurons-me/netget/identity"
)

// A PanicError says that a bug stopped the committer in the middle of a version.
// Nobody knows what its memory is worth after that: the network is no longer
// served, others go on.
type PanicError struct{ Cause any }

// Error names the cause; where it happened is in the log.
func (e *PanicError) Error() string { return fmt.Sprintf("the committer panicked: %v", e.Cause) }

// Hint returns what a person can do about it, in one line.
func (e *PanicError) Hint() string {
	return "start the registry again: it verifies what is stored; and report the stack that the log shows"
}

// commitOrFail is [Catalog.commitAll], which fails closed where it panics.
func (c *Catalog) commitOrFail(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.reportPanic(ctx, &c.stats.committerPanics, cause)
			err = &PanicError{cause}
		}
	}()
	return c.commitAll(ctx)
}

// guarded runs what may lag behind; a panic costs one turn of it.
func (c *Catalog) guarded(ctx context.Context, do func(context.Context)) {
	defer func() {
		if cause := recover(); cause != nil {
			c.reportPanic(ctx, &c.stats.writerPanics, cause)
		}
	}()
	do(ctx)
}

func (c *Catalog) reportPanic(ctx context.Context, count *atomic.Int64, cause any) {
	count.Add(1)
	c.log.LogAttrs(ctx, slog.LevelError, "a panic was caught", slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
}

// dismiss answers everybody who waits for the committer, which is gone. Some of
// those in hand may have their answer already.
func (c *Catalog) dismiss() {
	stopped := identity.Refuse(identity.Unavailable, "the registry has stopped")
	for _, e := range append(append(c.inHand, c.carried...), c.queue.close(stopped)...) {
		select {
		case e.done <- result{nil, stopped}:
		default: // was answered
		}
	}
}
