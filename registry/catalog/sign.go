package catalog

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/neurons-me/netget/discovery"
)

// Heads are signed again every resignEvery, without the store for at most
// storeGrace: after that nobody can know any more that they are the newest.
const (
	resignEvery = 5 * time.Second
	storeGrace  = 600 * time.Second
	pingTimeout = 2 * time.Second
	outageEvery = time.Minute
)

// sign signs the present version, which is durable, and publishes it; while a
// status presses, the version before.
func (c *Catalog) sign(ctx context.Context) error {
	if len(c.pressing) == 0 {
		c.shown = c.state
	}
	if c.shown == nil {
		return errors.New("the newest version is not complete")
	}
	id, now := c.source.Identity(), c.now()
	head := c.shown.head
	head.IAT = max(now.Unix(), head.Made)
	head.Exp = head.IAT + int64(discovery.HeadLife/time.Second)
	token, err := head.Sign(id.Signing, now)
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelError, "head not signed", slog.Int64("version", head.Version), slog.String("reason", err.Error()))
		return err
	}
	c.stats.heads.Add(1)
	c.signAt = now.Add(resignEvery)
	c.current.Store(&Snapshot{
		head: head, token: token, state: c.shown, beats: &c.beats, health: c.health,
		registry: [][]byte{id.Signing.Leaf().Raw, id.Signing.Issuer().Raw},
	})
	return nil
}

// resign signs the present version again when it is time to, as long as the
// store answered not too long ago.
func (c *Catalog) resign(ctx context.Context) {
	now := c.now()
	if wait := c.signAt.Sub(now); wait > 0 && wait <= resignEvery { // more: the clock was set back
		return
	}
	c.signAt = now.Add(resignEvery)
	if now.Sub(c.storeOK) >= resignEvery {
		c.ping(ctx)
	}
	if now.Sub(c.storeOK) > storeGrace {
		c.log.LogAttrs(ctx, slog.LevelError, "head not signed: the store does not answer", slog.Duration("for", now.Sub(c.storeOK)))
		return
	}
	_ = c.sign(ctx) // logged there; the next round tries again
}

// ping asks the store for a sign of life. An outage is logged when it begins,
// once a minute, and when it ends: the log may be on the very disk that is full.
func (c *Catalog) ping(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	err := c.storeResult(c.store.Ping(ctx))
	if err != nil && c.now().Sub(c.outageAt) >= outageEvery {
		c.outageAt = c.now()
		c.log.LogAttrs(ctx, slog.LevelWarn, "store does not answer", storeAttrs(err)...)
	}
	if err == nil && !c.outageAt.IsZero() {
		c.outageAt = time.Time{}
		c.log.LogAttrs(ctx, slog.LevelInfo, "store answers again")
	}
}
