package main_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
	"github.com/neurons-me/netget/registry/catalog"
)

// register has all nodes listed.
func (l *catalogLoad) register(t *testing.T) {
	t.Helper()
	began := time.Now()
	var all errgroup.Group
	all.SetLimit(256)
	for i := range l.nodes {
		all.Go(func() error { return l.registerOne(t.Context(), i) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	testdrill.Say(t, "      %d nodes signed and registered in %s", len(l.nodes), time.Since(began).Round(time.Second/10))
}

func (l *catalogLoad) registerOne(ctx context.Context, i int) error {
	n, err := l.authority.node(i, loadSignedAt(l.start, l.round, i, len(l.nodes), l.saved))
	if err != nil {
		return err
	}
	cert, err := l.authority.bundle.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse)
	if err != nil {
		return err
	}
	if _, err := l.catalog.Load().Submit(ctx, n.record.Token(), catalog.Peer{Certificate: cert}); err != nil {
		return err
	}
	l.nodes[i], l.peers[i] = n, catalog.Peer{Certificate: cert}
	l.listed[i].Store(true)
	return nil
}

// feed has the nodes that are listed send heartbeats, evenly over each round,
// until stop is called.
func (l *catalogLoad) feed(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var feeding sync.WaitGroup
	feeding.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		heardIn := make([]int64, len(l.nodes)) // the turn in which a node was heard last
		for next := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for planned := l.planned(next); time.Since(l.start) >= planned; planned = l.planned(next) {
				i := next % len(l.nodes)
				if late := int64(time.Since(l.start) - planned); late > l.behind.Load() {
					l.behind.Store(late)
				}
				if turn := l.turn.Load(); l.beat(ctx, i) && heardIn[i] != turn {
					heardIn[i] = turn
					l.heard.Add(1)
				}
				next++
			}
		}
	})
	return func() { cancel(); feeding.Wait() }
}

// planned is when the next heartbeat of all is due, since the start.
func (l *catalogLoad) planned(next int) time.Duration {
	rounds, i := next/len(l.nodes), next%len(l.nodes)
	return l.round*time.Duration(rounds) + l.round*time.Duration(i)/time.Duration(len(l.nodes))
}

// beat sends the heartbeat of one node and reports whether it was taken.
func (l *catalogLoad) beat(ctx context.Context, i int) bool {
	c := l.catalog.Load()
	if c == nil || !l.listed[i].Load() {
		return false
	}
	n := l.nodes[i]
	b, ok := n.next(time.Now(), l.saved)
	if !ok {
		return false
	}
	out, err := c.Beat(ctx, l.peers[i], n.record.RID(), b)
	if err != nil && l.catalog.Load() != c {
		return false // it is being restarted
	}
	if err != nil || out.Status != discovery.Up {
		l.refused.Add(1)
		return false
	}
	l.beats.Add(1)
	return true
}
