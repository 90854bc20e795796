package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// What ends a node that is not listed is no news.
func TestTombstoneOfAGoneNodeIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		s := n.register(t)
		gone := n.tombstone(t, s)
		n.put(t, gone)
		n.put(t, n.tombstone(t, gone))
		wantStory(t, w.story(t, n.id()), "none-up registered", "up-none deregistered")
	})
}

func TestTheNewestFiftyEventsOfANodeStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		for i := range 60 {
			n.put(t, n.record(t, func(r *identity.Record) { r.State = []identity.State{identity.Draining, identity.Active}[i%2] }))
		}
		time.Sleep(2*time.Hour + time.Minute) // they are pruned once an hour; the record ends meanwhile
		story := w.story(t, n.id())
		if len(story) != 50 || story[49] != "down-none expired" {
			t.Errorf("%d events stay, the last %q", len(story), story[len(story)-1:])
		}
	})
}

// Evidence is for terminals and logs, whatever a probe has met.
func TestEvidenceIsShortAndPrintable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) {
			c.Probe = func(context.Context, probe.Target) error {
				return errors.New("\x1b[2J\u202e" + strings.Repeat("long ", 1000))
			}
		})
		n := w.node(t, "billing", "b-1")
		n.register(t)
		time.Sleep(20 * time.Second)
		got := w.evidence(t, n.id())
		if len(got) != 512 || !strings.Contains(got, "?[2J?long") {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	})
}

func TestWhoWaitedForNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rows, err := w.catalog.Events(ctx, catalog.EventQuery{Limit: 1}, true)
		if len(rows) != 0 || err != nil || w.catalog.Waiting() != 0 {
			t.Errorf("%d events, %v, %d still wait", len(rows), err, w.catalog.Waiting())
		}
	})
}

// Each record of a node that must prove itself makes two versions, and both count.
func TestVersionsOfUnprovenNodesKeepTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := proved(t)
		began, before := time.Now(), w.catalog.Snapshot().Head().Version
		var last int64
		for i := 0; time.Since(began) < 10*time.Second; i++ {
			n := w.node(t, "billing", fmt.Sprintf("b-%d", i))
			out, err := n.bring(n.record(t, proving(elsewhere)))
			if err != nil {
				t.Fatal(err)
			}
			if time.Since(began) <= 10*time.Second {
				last = out.Snapshot.Head().Version
			}
		}
		if got := last - before; got > 2000 || got < 1000 {
			t.Errorf("%d versions in 10 s, want at most 2,000, and not much less", got)
		}
	})
}

// However many statuses change at once, a version takes what fits.
func TestMoreStatusesThanOneVersionTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t, func(c *healthwatch.Config) { c.Brake.Share = 1 }) // never
		const nodes = discovery.MaxChanges + 4
		var all sync.WaitGroup
		for i := range nodes {
			n := w.node(t, "billing", fmt.Sprintf("b-%d", i))
			s := n.record(t)
			all.Go(func() {
				if _, err := n.submit(s); err != nil {
					t.Errorf("submitting: %v", err)
				}
			})
		}
		all.Wait()
		time.Sleep(50 * time.Second)
		down := 0
		for _, l := range w.catalog.Snapshot().Service("billing").Records() {
			if l.Status == discovery.Down {
				down++
			}
		}
		if err := w.catalog.Err(); down != nodes || err != nil {
			t.Errorf("%d of %d silent nodes are down, %v", down, nodes, err)
		}
	})
}

// The audit log says of a status what it was, and why it is another.
func TestStatusInTheAuditLogSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watched(t)
		w.node(t, "billing", "b-1").register(t)
		time.Sleep(31 * time.Second)
		if got, want := w.log.String(), `"reason":"up to suspect, heartbeat-late: no heartbeat for 30.`; !strings.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, got)
		}
	})
}

// A registry that cannot read its events does not start: it would find out only
// when somebody asks.
func TestUnreadableEventsKeepARegistryFromStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.SetFault(failing(memstore.Events, false))
		if c, err := w.open(t); !errors.Is(err, errDisk) || c.Snapshot() != nil {
			t.Errorf("got %v, want %v", err, errDisk)
		}
	})
}
