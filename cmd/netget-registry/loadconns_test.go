package main_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testdrill"
)

// What the nodes of the drill do.
const (
	loadReceipts = 8 // one heartbeat of so many asks for a receipt
	loadPace     = 250
	loadNet      = 7 // they connect from 127.0.7.x
)

// connLoadSizes are how many nodes there are and for how long.
type connLoadSizes struct {
	count  int
	round  time.Duration
	saved  bool  // they do not wait for their tokens' time
	beats  int64 // that each node sends; 0: until the end
	settle time.Duration
	window time.Duration
}

func connLoadSizesOf(t *testing.T) connLoadSizes {
	t.Helper()
	if testdrill.Full(t) {
		return connLoadSizes{count: 15_000, round: loadInterval, settle: 30 * time.Second, window: 5 * time.Minute}
	}
	return connLoadSizes{count: 40, round: 200 * time.Millisecond, saved: true, beats: 2} // as many as a node may send at once
}

// TestHeartbeatLoadOverConnections has nodes, each with its identity and its
// connection, register at a registry that is a process of its own and send
// heartbeats, of which one of eight asks for a receipt. Every one must be
// answered, and every node be listed as up.
func TestHeartbeatLoadOverConnections(t *testing.T) {
	if !testdrill.Full(t) {
		t.Parallel()
	}
	l := newConnLoad(t, connLoadSizesOf(t))
	before := l.numbers(t)
	stop := l.join(t)
	if l.beats == 0 {
		l.measure(t, before)
	}
	stop()
	l.judge(t)
}

// A connLoad is a registry with nodes that hold their connections.
type connLoad struct {
	connLoadSizes
	*drillWorld

	authority *loadAuthority
	start     time.Time
	measuring atomic.Bool
	nodes     []*connNode
}

func newConnLoad(t *testing.T, sizes connLoadSizes) *connLoad {
	t.Helper()
	l := &connLoad{connLoadSizes: sizes, authority: newLoadAuthority(), nodes: make([]*connNode, sizes.count)}
	dir := t.TempDir()
	l.drillWorld = &drillWorld{dir: dir, address: "127.0.0.1:0", env: []string{}, issued: time.Now, store: database.URL(filepath.Join(dir, "registry.db"))}
	l.flags = []string{"--ops-address", "127.0.0.1:0"}
	folder := identity.NewFolder(filepath.Join(l.home(), "registry", "identity"))
	if err := folder.Create(l.authority.registry(t), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.registry.finalLog() })
	l.startRegistry(t)
	l.start = time.Now().Truncate(time.Second)
	return l
}

// registry returns the identity of a registry with keys that can be written to
// a file.
func (a *loadAuthority) registry(t *testing.T) *identity.Identity {
	t.Helper()
	id := a.ID("registry", "r-1")
	i := a.Identity(id)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.Credential = a.IssueKey(id, key)
	leaf := a.Template(id)
	leaf.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 25, 610837421, 1}}
	if i.Signing, err = identity.NewCredential(key, a.SignWithRegistryIssuer(leaf, key.Public()), a.RegistryIssuer); err != nil {
		t.Fatal(err)
	}
	return i
}

// join has all nodes connect and register. Each sends heartbeats from then on,
// until stop is called.
func (l *connLoad) join(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	began, pace, from := time.Now(), rate.NewLimiter(loadPace, 1), manyAddresses(loadNet)
	var joining errgroup.Group
	var beating sync.WaitGroup
	joining.SetLimit(dialsAtOnce)
	for i := range l.count {
		if err := pace.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		joining.Go(func() error {
			n, err := l.connect(ctx, i, from[i%len(from)])
			if err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
			l.nodes[i] = n
			beating.Go(func() { n.err = l.live(ctx, n, i) })
			return nil
		})
	}
	err := joining.Wait()
	stop = func() {
		if l.beats == 0 {
			cancel()
		}
		beating.Wait()
		cancel()
		for _, n := range l.nodes {
			if n != nil {
				_ = n.conn.Close() // it is no longer needed
			}
		}
	}
	if err != nil {
		cancel()
		stop()
		t.Fatalf("%v\n%s", err, l.registry.finalLog())
	}
	testdrill.Say(t, "      %d nodes connected and registered in %s", l.count, time.Since(began).Round(time.Second/10))
	return stop
}

// numbers returns the metrics of the registry, by name with labels.
func (l *connLoad) numbers(t *testing.T) map[string]float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.registry.ops+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: askTimeout}).Do(req)
	if err != nil {
		t.Fatalf("reading the metrics: %v\n%s", err, l.registry.finalLog())
	}
	defer func() { _ = resp.Body.Close() }()
	all := map[string]float64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if at := strings.LastIndexByte(lines.Text(), ' '); at > 0 && lines.Text()[0] != '#' {
			if all[lines.Text()[:at]], err = strconv.ParseFloat(lines.Text()[at+1:], 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// measure says what the heartbeats of a while cost the registry, and how long
// the nodes waited for replies.
func (l *connLoad) measure(t *testing.T, empty map[string]float64) {
	t.Helper()
	<-time.After(l.settle)
	before, began := l.numbers(t), time.Now()
	l.measuring.Store(true)
	<-time.After(l.window)
	l.measuring.Store(false)
	after, took := l.numbers(t), time.Since(began).Seconds()
	const cpu, resident, beats = "process_cpu_seconds_total", "process_resident_memory_bytes", "netget_registry_request_seconds_count{route=\"/v1/heartbeats\"}"
	perSecond := (after[beats] - before[beats]) / took
	cores := (after[cpu] - before[cpu]) / took
	testdrill.Say(t, "      heartbeats of %d connections take %.3f of a core of the registry's process, %.1f µs each: %.0f a second within %.0f s", l.count, cores, cores/perSecond*1e6, perSecond, took)
	testdrill.Say(t, "      %.0f MiB resident, %.1f KiB a node (%.0f MiB before the first)", after[resident]/(1<<20), (after[resident]-empty[resident])/float64(l.count)/(1<<10), empty[resident]/(1<<20))
}

// judge requires that every heartbeat was answered as it should be, and every
// node is up, and was all the time.
func (l *connLoad) judge(t *testing.T) {
	t.Helper()
	var waits spread
	var sent, late, failed int64
	for i, n := range l.nodes {
		if n.err != nil && !errors.Is(n.err, context.Canceled) {
			failed++
			t.Errorf("node %d: %v", i, n.err)
		}
		waits, sent, late = append(waits, n.waits...), sent+n.sent, late+n.late
	}
	now, label := l.numbers(t), func(name, status string) string {
		return fmt.Sprintf("netget_registry_%s{network=%q,status=%q}", name, l.authority.TD, status)
	}
	up, suspects, downs := now[label("nodes", "up")], now[label("status_changes_total", "suspect")], now[label("status_changes_total", "down")]
	if up != float64(l.count) || suspects+downs > 0 {
		t.Errorf("%.0f of %d nodes are up, %.0f times one was suspect, %.0f times down", up, l.count, suspects, downs)
	}
	testdrill.Say(t, "%s: %d heartbeats were sent, %d nodes got no good reply (limit 0); %.0f nodes are up, %.0f times one was suspect, %.0f times down (limit 0)",
		testdrill.Verdict(failed == 0 && suspects+downs == 0), sent, failed, up, suspects, downs)
	if !l.saved {
		testdrill.Say(t, "%s: %d heartbeats came more than 10 s after their time (limit 0); replies came after p50 %s, p99 %s, max %s",
			testdrill.Verdict(late == 0), late, ms(waits.part(0.5)), ms(waits.part(0.99)), ms(waits.part(1)))
	}
	l.verify(t)
}

// verify asks as a client, which verifies every record and every token.
func (l *connLoad) verify(t *testing.T) {
	t.Helper()
	source := l.authority.Source(l.authority.ID("client", "reader"), identity.KnownRegistry{Registry: l.authority.ID("registry", "r-1"), Addresses: []string{"https://" + l.address}})
	client := l.newDiscovery(t, source, discovery.NewMarks(), time.Now)
	defer client.Close()
	active := 0
	for first := 0; first < l.count; first += loadService {
		found, err := client.Discover(t.Context(), loadServiceOf(first))
		if err != nil {
			t.Fatalf("%v\n%s", err, l.registry.finalLog())
		}
		for _, n := range found.Nodes {
			saved := l.saved && n.Status == discovery.Up && n.Beat.K == l.beats // of a time long past
			if saved || n.Active() {
				active++
			}
		}
	}
	if active != l.count {
		t.Errorf("a client finds %d of %d nodes active by their heartbeats", active, l.count)
	}
}
