package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// quiet starts a world without a log.
func quiet(b *testing.B) *world {
	b.Helper()
	w := newWorld(b)
	cfg := w.config()
	cfg.Logger = slog.New(slog.DiscardHandler)
	c, err := catalog.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Open(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	w.catalog = c
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	b.Cleanup(func() { _ = w.stop() })
	return w
}

// processorTime returns what the process has used so far: on a shared machine
// that says more than the clock.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// submitAll brings statements at once, a few hundred at a time.
func submitAll(b *testing.B, nodes []*node, statements []*identity.Statement) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 256 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(statements) {
					return
				}
				if _, err := nodes[i%len(nodes)].submit(statements[i]); err != nil {
					b.Errorf("submitting: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkRegister is one verified registration: 256 nodes of 26 services that
// register over and over, 256 at a time, into a store in memory.
func BenchmarkRegister(b *testing.B) {
	w := quiet(b)
	nodes := make([]*node, 256)
	for i := range nodes {
		nodes[i] = w.node(b, fmt.Sprintf("service-%d", i/10), fmt.Sprintf("n-%d", i))
	}
	statements := make([]*identity.Statement, 0, b.N)
	for i := range b.N {
		n := nodes[i%len(nodes)]
		n.epoch = w.now().Unix() - 30 // none is superseded by one that overtook it
		statements = append(statements, n.record(b))
	}
	b.ReportAllocs()
	b.ResetTimer()
	used := processorTime(b)
	for batch := range slices.Chunk(statements, len(nodes)) {
		submitAll(b, nodes, batch)
	}
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/float64(w.catalog.Stats().Versions), "records/version")
}

// BenchmarkUpdate is one version of one changed service, with map and log, among
// many services.
func BenchmarkUpdate(b *testing.B) {
	for _, services := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			w := quiet(b)
			n := w.node(b, "billing", "b-1")
			s := n.record(b)
			listed := []discovery.Listed{{Record: s, Status: discovery.Up, Since: 1}}
			all := make([]*discovery.Service, services)
			for i := range all {
				all[i] = discovery.NewService(fmt.Sprintf("service-%d", i), listed)
			}
			step := catalog.Versioning(all)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				listed[0].Since = int64(i + 2)
				if err := step(discovery.NewService(all[i%services].Name(), listed)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen is a start with 10,000 records of 1,000 services.
func BenchmarkOpen(b *testing.B) {
	w := quiet(b)
	const records = 10_000
	nodes, statements := make([]*node, records), make([]*identity.Statement, records)
	for i := range nodes {
		nodes[i] = w.node(b, fmt.Sprintf("service-%d", i/10), fmt.Sprintf("n-%d", i))
		statements[i] = nodes[i].record(b)
	}
	submitAll(b, nodes, statements)
	if err := w.stop(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	used, starts := processorTime(b), 0
	for b.Loop() {
		starts++
		w.src = w.ca.Source(w.ca.ID("registry", "r-1")) // a fresh bundle has verified no chain yet
		cfg := w.config()
		cfg.Logger = slog.New(slog.DiscardHandler)
		c, err := catalog.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Open(context.Background()); err != nil {
			b.Fatal(err)
		}
		if got := c.Snapshot().Head().Records; got != records {
			b.Fatalf("loaded %d records", got)
		}
	}
	b.ReportMetric((processorTime(b)-used).Seconds()/float64(starts), "cpu-s/op")
	b.ReportMetric(float64(w.catalog.Stats().Versions), "versions")
}

// BenchmarkAnswer builds the answer about a service of 10 and of 100 nodes, not
// yet encoded.
func BenchmarkAnswer(b *testing.B) {
	for _, size := range []int{10, 100} {
		b.Run(fmt.Sprintf("nodes=%d", size), func(b *testing.B) {
			w := quiet(b)
			nodes, statements := make([]*node, size), make([]*identity.Statement, size)
			for i := range nodes {
				nodes[i] = w.node(b, "billing", fmt.Sprintf("n-%d", i))
				statements[i] = nodes[i].record(b)
			}
			submitAll(b, nodes, statements)
			s := w.catalog.Snapshot()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Answer("billing", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceipt makes the receipt of a node among 100 and among 5,000 of its
// service, not yet encoded.
func BenchmarkReceipt(b *testing.B) {
	for _, size := range []int{100, 5_000} {
		b.Run(fmt.Sprintf("nodes=%d", size), func(b *testing.B) {
			w := quiet(b)
			nodes, statements := make([]*node, size), make([]*identity.Statement, size)
			for i := range nodes {
				nodes[i] = w.node(b, "billing", fmt.Sprintf("n-%d", i))
				statements[i] = nodes[i].record(b)
			}
			submitAll(b, nodes, statements)
			s := w.catalog.Snapshot()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Receipt(nodes[size/2].id(), 0, 1, []string{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
