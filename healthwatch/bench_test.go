package healthwatch_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

const benchNodes = 100_000

// benchWatch watches 100,000 nodes with heartbeats every 15 s; each takes so many
// bytes.
func benchWatch(b *testing.B, clock func() time.Duration) (w *healthwatch.Watch, ids []identity.NodeID, bytes float64) {
	b.Helper()
	w, err := healthwatch.New(healthwatch.Config{
		Propose: func(healthwatch.Proposal) {}, Logger: slog.New(slog.DiscardHandler), Clock: clock,
	})
	if err != nil {
		b.Fatal(err)
	}
	listings := make([]healthwatch.Listing, benchNodes)
	ids = make([]identity.NodeID, benchNodes)
	for i := range listings {
		l := heartbeats(b, fmt.Sprintf("db-%d", i))
		l.Interval = simInterval
		listings[i], ids[i] = l, l.Node
	}
	before := memory()
	for _, l := range listings {
		w.Put(l)
	}
	bytes = float64(memory()-before) / benchNodes
	runtime.KeepAlive(listings)
	w.Begin()
	return w, ids, bytes
}

// memory returns the bytes in use.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkBeat has heartbeats of 100,000 nodes come on all processors.
func BenchmarkBeat(b *testing.B) {
	w, ids, bytes := benchWatch(b, nil)
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w.Beat(ids[next.Add(1)%benchNodes], home)
		}
	})
	b.ReportMetric(bytes, "bytes/node")
}

// BenchmarkTick is one second of 100,000 nodes with heartbeats every 15 s: 6,667
// heartbeats and five looks at the clock.
func BenchmarkTick(b *testing.B) {
	var now time.Duration
	w, ids, bytes := benchWatch(b, func() time.Duration { return now })
	const looks = int(time.Second / simTick)
	share := float64(benchNodes) / float64(int(simInterval/simTick)) // heartbeats between two looks
	next, probes := 0, new(sync.WaitGroup)
	second := func() {
		for range looks {
			for until := int(float64(int(now/simTick)+1) * share); next < until; next++ {
				w.Beat(ids[next%benchNodes], home)
			}
			now += simTick
			w.Step(b.Context(), probes)
		}
	}
	for range 60 {
		second() // so that every node has its place in time
	}
	used := processorTime(b)
	b.ResetTimer()
	for b.Loop() {
		second()
	}
	b.StopTimer()
	cores := (processorTime(b) - used).Seconds() / float64(b.N)
	b.ReportMetric(cores*1000, "cpu-ms/s")
	b.ReportMetric(bytes, "bytes/node")
	if s := w.Stats(); s.Nodes[healthwatch.Up] != benchNodes {
		b.Errorf("%d of %d nodes are up", s.Nodes[healthwatch.Up], benchNodes)
	}
	b.Logf("%.4f cores for %d nodes (goal G11: 0.35 with all that carries the heartbeats)", cores, benchNodes)
}
