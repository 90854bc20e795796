package main_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// How many nodes and clients a pause of the registry meets, and how long the
// whole drill's pause is. The short one ends when every client has met it.
const (
	pauseNodes   = 4
	pauseClients = 4
	longPause    = time.Minute
	pollEvery    = 200 * time.Millisecond
	recoverLimit = 2 * time.Minute // the longest a node may be without an accepted heartbeat
)

// TestPause stops the registry's process with SIGSTOP while nodes send
// heartbeats and clients ask, and lets it go on. While it is stopped, clients
// run into their time-outs and serve what they verified before. Afterwards
// everybody is served again by itself: no record was dropped, and no head that
// a client accepts is older than the protocol allows.
func TestPause(t *testing.T) {
	t.Parallel()
	w := newDrillWorld(t)
	w.start(t)
	interval := time.Second
	if testdrill.Full(t) {
		interval = netget.DefaultHeartbeatInterval
	}
	startSDKNodes(t, w, pauseNodes, interval)
	polls := startPolls(t, w, pauseClients, pollEvery)
	eventually(t, recoverLimit, "all nodes live at all clients", func() bool { return polls.each(isFresh(0)) })

	began := time.Now()
	w.registry.signal(t, syscall.SIGSTOP)
	eventually(t, recoverLimit, "all clients served from what they had", func() bool { return polls.each(isStale) })
	if testdrill.Full(t) {
		<-time.After(longPause - time.Since(began))
	}
	during := polls.since(began)
	resumed := time.Now()
	w.registry.signal(t, syscall.SIGCONT)
	answered := eventually(t, recoverLimit, "all clients answered again", func() bool { return polls.each(isFreshAfter(resumed)) })
	recovered := eventually(t, recoverLimit, "all nodes live by a new heartbeat", func() bool { return polls.each(isFresh(resumed.Unix())) })
	after := polls.since(resumed)
	polls.end()

	testdrill.Say(t, "      stopped for %s: %d questions failed by time-out and were answered from what was verified before", resumed.Sub(began).Round(time.Millisecond), checkPaused(t, during))
	testdrill.Say(t, "      after SIGCONT: all clients answered by the registry within %s, all nodes live by a new heartbeat within %s", ms(answered), recovered.Round(10*time.Millisecond))
	checkResumed(t, after)
}

// startSDKNodes registers nodes that keep themselves registered.
func startSDKNodes(t *testing.T, w *drillWorld, count int, interval time.Duration) {
	t.Helper()
	for i := range count {
		source := w.enrolNamed(t, "databaseservice", fmt.Sprintf("db-%d", i))
		node := netget.New(netget.Options{
			Identity: source.Folder().Dir(), RegistryNodes: []string{"https://" + w.address}, HeartbeatInterval: interval,
			Endpoints: []netget.Endpoint{{Address: "127.0.0.1", Port: 5432}},
		})
		t.Cleanup(func() { _ = node.Close() }) // the registry may be gone already
		if err := node.RegisterWithNetwork(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A poll is what a client got.
type poll struct {
	at    time.Time
	found *discovery.Found
	err   error
}

// polls are clients that ask all the time, each with all that it got.
type polls struct {
	every time.Duration
	stop  context.CancelFunc
	all   sync.WaitGroup

	mu  sync.Mutex
	got [][]poll // by client; guarded by mu
}

func startPolls(t *testing.T, w *drillWorld, clients int, every time.Duration) *polls {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &polls{every: every, stop: cancel, got: make([][]poll, clients)}
	t.Cleanup(p.end)
	for i := range clients {
		source := w.enrolNamed(t, "client", fmt.Sprintf("client-%d", i))
		client := w.newDiscovery(t, source, discovery.NewMarks(), time.Now)
		p.all.Go(func() { p.run(ctx, i, client) })
	}
	return p
}

func (p *polls) run(ctx context.Context, i int, client *discovery.Client) {
	defer client.Close()
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		found, err := client.Discover(ctx, "databaseservice")
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.got[i] = append(p.got[i], poll{time.Now(), found, err})
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *polls) end() {
	p.stop()
	p.all.Wait()
}

// each reports whether the last poll of each client is as wanted.
func (p *polls) each(want func(poll) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, got := range p.got {
		if len(got) == 0 || !want(got[len(got)-1]) {
			return false
		}
	}
	return true
}

// since returns the polls that ended after a moment, of all clients.
func (p *polls) since(moment time.Time) (all []poll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, got := range p.got {
		for _, one := range got {
			if one.at.After(moment) {
				all = append(all, one)
			}
		}
	}
	return all
}

// isAnswer reports whether the registry answered.
func (p poll) isAnswer() bool { return p.err == nil && !p.found.Stale }

func isStale(p poll) bool { return p.err == nil && p.found.Stale }

func isFreshAfter(moment time.Time) func(poll) bool {
	return func(p poll) bool { return p.isAnswer() && p.at.After(moment) }
}

// isFresh wants all nodes active, each with a heartbeat of a time after since,
// Unix seconds.
func isFresh(since int64) func(poll) bool {
	return func(p poll) bool {
		if !p.isAnswer() || len(p.found.Active()) != pauseNodes {
			return false
		}
		for _, n := range p.found.Nodes {
			if n.Record.IAT+n.Beat.K*n.Record.Heartbeat.Interval <= since {
				return false
			}
		}
		return true
	}
}

// checkPaused looks at what clients got while the registry stood still, and
// returns how often it did not answer.
func checkPaused(t *testing.T, got []poll) (unanswered int) {
	t.Helper()
	for _, p := range got {
		switch {
		case p.isAnswer(): // sent before the stop
		case p.err != nil:
			t.Errorf("a client had nothing to go on with: %v", p.err)
		case len(p.found.Nodes) != pauseNodes:
			t.Errorf("a client went on with %d nodes, want %d", len(p.found.Nodes), pauseNodes)
		case !timedOut(p.found.Errors[0].Err):
			t.Errorf("a client gave up by %v, want a time-out", p.found.Errors[0].Err)
		default:
			unanswered++
		}
	}
	if unanswered == 0 {
		t.Error("no question met the pause")
	}
	return unanswered
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// checkResumed looks at what clients got afterwards.
func checkResumed(t *testing.T, got []poll) {
	t.Helper()
	var answers, inactive, over int
	var oldest int64
	for _, p := range got {
		if p.err != nil {
			t.Errorf("a client was not answered after the pause: %v", p.err)
			continue
		}
		if !p.isAnswer() {
			continue // asked during the pause
		}
		answers++
		head, now := p.found.Registries[0].Head, p.at.Unix()
		oldest = max(oldest, now-head.IAT)
		if skew := int64(identity.ClockSkew / time.Second); head.IAT > now+skew || head.Exp+skew <= now {
			t.Errorf("a client accepted a head of %d to %d at %d", head.IAT, head.Exp, now)
		}
		if head.Exp <= now {
			over++
		}
		if len(p.found.Nodes) != pauseNodes || len(p.found.LeftOut) != 0 {
			t.Errorf("%d nodes are listed and %d left out, want %d and 0", len(p.found.Nodes), len(p.found.LeftOut), pauseNodes)
		}
		if len(p.found.Active()) != pauseNodes {
			inactive++
		}
	}
	if over > 0 {
		t.Errorf("%d of %d answers after the pause had a head that was over", over, answers)
	}
	testdrill.Say(t, "%s: %d answers after the pause: all of %d nodes listed in each; the oldest head was %d s old (limit: its exp after 30 s); %d with a node whose next heartbeat was still to come",
		testdrill.Verdict(!t.Failed()), answers, pauseNodes, oldest, inactive)
}
