package main_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testdrill"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/store"
)

// The limits of 100,000 nodes in one catalog.
const (
	limitLoadCores   = 0.35
	limitLoadAbsorbs = time.Minute
)

// catalogLoadSizes are how many nodes there are and how they are met.
type catalogLoadSizes struct {
	count  int           // of nodes
	round  time.Duration // in which each sends one heartbeat
	saved  bool          // they do not wait for their tokens' time
	settle time.Duration
	window time.Duration // of the measurement
	after  time.Duration // a restart
}

func catalogLoadSizesOf(t *testing.T) catalogLoadSizes {
	t.Helper()
	if testdrill.Full(t) {
		return catalogLoadSizes{count: 100_000, round: loadInterval, settle: 30 * time.Second, window: 2 * time.Minute, after: time.Minute}
	}
	return catalogLoadSizes{count: 300, round: time.Second, saved: true, window: 1200 * time.Millisecond, after: 1200 * time.Millisecond} // 100 s of tokens
}

// TestHeartbeatLoadOnACatalog has nodes send heartbeats to a catalog with its
// health watch on an SQLite file, without a network between, and starts it again
// under them. No heartbeat may be refused, none may cost a write of its own, and
// no living node may be suspect or down.
func TestHeartbeatLoadOnACatalog(t *testing.T) {
	if !testdrill.Full(t) {
		t.Parallel()
	}
	l := newCatalogLoad(t, catalogLoadSizesOf(t))
	l.open(t)
	stop := l.feed(t)
	defer stop()
	l.register(t)
	l.measure(t)
	l.judge(t, "after the measurement")
	l.restart(t)
	l.judge(t, "after the restart")
}

// A catalogLoad is the nodes and the catalog that they call.
type catalogLoad struct {
	catalogLoadSizes

	authority *loadAuthority
	source    *identity.Source
	store     string // URL
	head      string // file
	start     time.Time
	nodes     []*loadNode // each belongs to the feeder as soon as it is listed
	peers     []catalog.Peer
	listed    []atomic.Bool
	saves     countedSaves
	writes    atomic.Int64                    // transactions
	catalog   atomic.Pointer[catalog.Catalog] // nil while none runs
	close     func()                          // ends the catalog

	beats, refused atomic.Int64
	behind         atomic.Int64 // ns; by how much the feeder was late, at most
	turn           atomic.Int64 // counts the catalog's starts
	heard          atomic.Int64 // nodes that were heard since the last
}

// countedSaves count how often heartbeats are written.
type countedSaves struct{ calls, rows atomic.Int64 }

// A countedStore is a store of which the writes of heartbeats are counted.
type countedStore struct {
	catalog.Store
	saves *countedSaves
}

// SaveBeats counts.
func (s countedStore) SaveBeats(ctx context.Context, rows []catalog.BeatRow) error {
	s.saves.calls.Add(1)
	s.saves.rows.Add(int64(len(rows)))
	return s.Store.SaveBeats(ctx, rows)
}

func newCatalogLoad(t *testing.T, sizes catalogLoadSizes) *catalogLoad {
	t.Helper()
	dir, a := t.TempDir(), newLoadAuthority()
	return &catalogLoad{
		catalogLoadSizes: sizes, authority: a, source: a.Source(a.ID("registry", "r-1")),
		store: database.URL(filepath.Join(dir, "registry.db")), head: filepath.Join(dir, "head.json"), start: time.Now().Truncate(time.Second),
		nodes: make([]*loadNode, sizes.count), peers: make([]catalog.Peer, sizes.count), listed: make([]atomic.Bool, sizes.count),
	}
}

// open opens store and catalog and returns how long that took.
func (l *catalogLoad) open(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	db, err := database.Open(t.Context(), database.Config{URL: l.store, Migrations: migrations.Registry, Hook: func(m database.Moment) error {
		if m == database.AfterCommit {
			l.writes.Add(1)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.New(db, l.authority.TD)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(catalog.Config{
		Source: l.source, Store: countedStore{rows, &l.saves}, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		HeadFile: l.head, Health: &healthwatch.Config{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	l.close = sync.OnceFunc(func() {
		l.catalog.Store(nil)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the catalog ended with %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(l.close)
	took := time.Since(began)
	l.turn.Add(1)
	l.heard.Store(0)
	l.catalog.Store(c)
	return took
}

// measure says what the heartbeats of a while cost.
func (l *catalogLoad) measure(t *testing.T) {
	t.Helper()
	<-time.After(l.settle)
	began, used, beats := time.Now(), processorTime(t), l.beats.Load()
	writes, calls, rows := l.writes.Load(), l.saves.calls.Load(), l.saves.rows.Load()
	version := l.catalog.Load().Snapshot().Head().Version
	<-time.After(l.window)
	eventually(t, time.Minute, "heartbeats come and are written", func() bool { return l.beats.Load() > beats && l.saves.rows.Load() > rows })
	took := time.Since(began).Seconds()
	cores := (processorTime(t) - used).Seconds() / took
	beats, writes, calls, rows = l.beats.Load()-beats, l.writes.Load()-writes, l.saves.calls.Load()-calls, l.saves.rows.Load()-rows
	versions := l.catalog.Load().Snapshot().Head().Version - version
	if beats == 0 || rows == 0 {
		t.Fatalf("%d heartbeats were taken and %d written", beats, rows)
	}
	if most := int64(took) + 2; calls > most {
		t.Errorf("heartbeats were written %d times within %.1f s, want %d at most", calls, took, most)
	}
	if versions > 0 {
		t.Errorf("%d heartbeats made %d versions", beats, versions)
	}
	if testdrill.Full(t) {
		testdrill.Say(t, "%s: heartbeats of %d nodes, the watch and the store take %.3f of a core (limit %.2f), with what sends them: %.0f a second, none more than %s late",
			testdrill.Verdict(cores <= limitLoadCores), len(l.nodes), cores, limitLoadCores, float64(beats)/took, time.Duration(l.behind.Load()).Round(time.Millisecond))
	}
	testdrill.Say(t, "%s: %d heartbeats were written in %d batches by %d transactions, %.1f a second in all (limit: a batch a second); versions made: %d (limit 0)",
		testdrill.Verdict(calls <= int64(took)+2), beats, calls, writes, float64(writes)/took, versions)
}

// judge requires that no heartbeat was refused and every node is up, and was all
// the time since the catalog was opened.
func (l *catalogLoad) judge(t *testing.T, when string) {
	t.Helper()
	c := l.catalog.Load()
	s := c.Health()
	notUp := 0
	for _, row := range c.Snapshot().Services() {
		for _, listed := range c.Snapshot().Service(row.Service).Records() {
			if listed.Status != discovery.Up {
				notUp++
			}
		}
	}
	if s.Nodes[healthwatch.Up] != int64(len(l.nodes)) || notUp > 0 {
		t.Errorf("%s %d of %d nodes are up, and %d are listed as not up", when, s.Nodes[healthwatch.Up], len(l.nodes), notUp)
	}
	suspects, downs, refused := s.Changes[healthwatch.Suspect], s.Changes[healthwatch.Down], l.refused.Load()
	if suspects+downs+refused > 0 {
		t.Errorf("%s: %d times a node was suspect, %d times down, %d heartbeats were refused; want none", when, suspects, downs, refused)
	}
	testdrill.Say(t, "%s: %s %d nodes are up; %d times one was suspect, %d times down, %d heartbeats refused (limit 0)",
		testdrill.Verdict(suspects+downs+refused == 0), when, s.Nodes[healthwatch.Up], suspects, downs, refused)
}

// restart starts the catalog again, while its nodes go on, and waits until it has
// heard all of them.
func (l *catalogLoad) restart(t *testing.T) {
	t.Helper()
	began := time.Now()
	l.close()
	stopped := time.Since(began)
	l.source = l.authority.Source(l.authority.ID("registry", "r-1")) // nothing is known to be good
	before := heapInUse()
	loaded := l.open(t)
	memory := heapInUse() - before
	eventually(t, 5*time.Minute, "every node is heard", func() bool { return l.heard.Load() == int64(len(l.nodes)) })
	absorbed := time.Since(began)
	if testdrill.Full(t) {
		testdrill.Say(t, "%s: a restart is absorbed after %s (limit %s): stopped in %s, loaded and verified in %s, then every node was heard",
			testdrill.Verdict(absorbed <= limitLoadAbsorbs), absorbed.Round(time.Second/10), limitLoadAbsorbs, stopped.Round(time.Second/10), loaded.Round(time.Second/10))
		testdrill.Say(t, "      the catalog holds %.0f MiB, %.1f KiB a node", float64(memory)/(1<<20), float64(memory)/float64(len(l.nodes))/(1<<10))
	}
	<-time.After(l.after)
}

// heapInUse returns the bytes of what is reachable.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
