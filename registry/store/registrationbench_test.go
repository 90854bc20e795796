package store_test

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// The limits of what a durable registration may cost, as multiples of one that
// is kept in memory only.
const (
	limitSQLite   = 1.45
	limitPostgres = 1.25
)

// A candidate is a registry's catalog on one kind of store.
type candidate struct {
	name    string
	limit   float64 // 0: it is what the others are compared with
	catalog *catalog.Catalog
	cpu     []float64 // processor µs of this process per registration, by turn
	wall    []float64 // µs per registration, by turn
}

// BenchmarkRegistration is one verified registration on each store, under many
// at once, also on a single processor, where the disk's sync would hold up all
// else. The stores take turns with the very same records, so that whatever
// else the machine does meets all of them; the figures are medians over turns.
// What counts is processor time of the registry's process: with PostgreSQL the
// work of the server comes on top of it, in a process that may be elsewhere.
func BenchmarkRegistration(b *testing.B) {
	b.Run("processors=1", func(b *testing.B) {
		all := runtime.GOMAXPROCS(1)
		b.Cleanup(func() { runtime.GOMAXPROCS(all) })
		benchmarkRegistration(b)
	})
	b.Run("processors=all", benchmarkRegistration)
}

func benchmarkRegistration(b *testing.B) {
	b.Helper()
	const turns = 7
	ca := testca.New("production", "benchmark", time.Now())
	all := []*candidate{
		{name: "memory", catalog: openCatalog(b, ca, memstore.New())},
		{name: "sqlite", limit: limitSQLite, catalog: openCatalog(b, ca, newStore(b, openDB(b, database.Config{URL: sqliteURL(b)}), ca.TD))},
		{name: "postgres", limit: limitPostgres, catalog: openCatalog(b, ca, newStore(b, openDB(b, database.Config{URL: testpg.URL(b)}), ca.TD))},
	}
	nodes := newRegistrants(b, ca, 256, 10)
	for b.Loop() {
		for turn := range turns + 1 {
			nodes.sign(b, 8)
			for i := range all {
				c := all[(turn+i)%len(all)]
				c.turn(b, nodes, turn > 0) // the first one only warms up
			}
		}
	}
	reportCandidates(b, all)
}

// openCatalog starts a catalog that runs until the benchmark ends.
func openCatalog(b *testing.B, ca *testca.Authority, s catalog.Store) *catalog.Catalog {
	b.Helper()
	c, err := catalog.New(catalog.Config{
		Source: ca.Source(ca.ID("registry", "r-1")), Store: s, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return c
}

// turn lets all nodes register what they have signed, all at once.
func (c *candidate) turn(b *testing.B, nodes registrants, counts bool) {
	b.Helper()
	began, used := time.Now(), processorTime(b)
	n := nodes.submit(b, c.catalog)
	if counts {
		c.cpu = append(c.cpu, float64((processorTime(b)-used).Microseconds())/float64(n))
		c.wall = append(c.wall, float64(time.Since(began).Microseconds())/float64(n))
	}
}

func reportCandidates(b *testing.B, all []*candidate) {
	b.Helper()
	memory := median(all[0].cpu)
	b.ReportMetric(0, "ns/op") // of all turns together: says nothing
	for _, c := range all {
		cpu := median(c.cpu)
		b.ReportMetric(cpu, c.name+"-cpu-µs")
		b.ReportMetric(median(c.wall), c.name+"-µs")
		if c.limit == 0 {
			continue
		}
		ratio := cpu / memory
		b.ReportMetric(ratio, c.name+"-ratio")
		b.Logf("%s: a registration on %s takes %.1f µs, %.2f × the %.1f µs in memory (limit %.2f ×)",
			verdict(ratio, c.limit), c.name, cpu, ratio, memory, c.limit)
	}
}

// BenchmarkStart is the start of a registry with 10,000 records: reading them
// and verifying all of them, with nothing verified before.
func BenchmarkStart(b *testing.B) {
	const records = 10_000
	b.Run("memory", func(b *testing.B) { benchmarkStart(b, memstore.New(), records) })
	benchmarkOnBoth(b, func(b *testing.B, s catalog.Store) {
		b.Helper()
		benchmarkStart(b, s, records)
	})
}

func benchmarkStart(b *testing.B, s catalog.Store, records int) {
	b.Helper()
	ca := testca.New("production", "benchmark", time.Now())
	nodes := newRegistrants(b, ca, records, 10)
	nodes.sign(b, 1)
	nodes.submit(b, openCatalog(b, ca, s))
	starts, used := 0, processorTime(b)
	for b.Loop() {
		starts++
		c, err := catalog.New(catalog.Config{
			Source: ca.Source(ca.ID("registry", "r-1")), Store: s, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Open(b.Context()); err != nil {
			b.Fatal(err)
		}
		if got := c.Snapshot().Head().Records; got != int64(records) {
			b.Fatalf("started with %d records", got)
		}
	}
	b.ReportMetric((processorTime(b)-used).Seconds()/float64(starts), "cpu-s/op")
}
