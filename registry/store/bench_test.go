package store_test

import (
	"fmt"
	"testing"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalogtest"
)

// PostgreSQL does not sync to disk here, see testpg; SQLite does.
func benchmarkOnBoth(b *testing.B, bench func(b *testing.B, s catalog.Store)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) {
		bench(b, newStore(b, openDB(b, database.Config{URL: sqliteURL(b)}), production(b)))
	})
	b.Run("postgres", func(b *testing.B) {
		bench(b, newStore(b, openDB(b, database.Config{URL: testpg.URL(b)}), production(b)))
	})
}

// batch returns the next version of h: n nodes sign their next record.
func batch(b *testing.B, h *catalogtest.History, n int) catalog.Batch {
	b.Helper()
	rows := make([]catalog.NodeRow, 0, n)
	for i := range n {
		rows = append(rows, h.Row(b, i, len(h.Versions)))
	}
	return h.Next(rows...)
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			benchmarkOnBoth(b, func(b *testing.B, s catalog.Store) {
				b.Helper()
				h := catalogtest.NewHistory(production(b))
				for b.Loop() {
					b.StopTimer()
					next := batch(b, h, n)
					b.StartTimer()
					if err := s.Commit(b.Context(), next); err != nil {
						b.Fatal(err)
					}
					h.Apply(next)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/object")
			})
		})
	}
}

func BenchmarkSaveBeats(b *testing.B) {
	const nodes = 1000
	benchmarkOnBoth(b, func(b *testing.B, s catalog.Store) {
		b.Helper()
		h := catalogtest.NewHistory(production(b))
		beats := make([]catalog.BeatRow, nodes)
		for i := range beats {
			beats[i] = catalog.BeatRow{Node: h.Node(b, i), RID: catalogtest.RID("state", i, 0)}
		}
		for b.Loop() {
			for i := range beats {
				beats[i].Beat.K++
			}
			if err := s.SaveBeats(b.Context(), beats); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*nodes), "µs/beat")
	})
}

func BenchmarkLoad(b *testing.B) {
	const records = 10_000
	benchmarkOnBoth(b, func(b *testing.B, s catalog.Store) {
		b.Helper()
		h := catalogtest.NewHistory(production(b))
		for first := 0; first < records; first += 1000 {
			rows := make([]catalog.NodeRow, 0, 1000)
			for i := range 1000 {
				rows = append(rows, h.Row(b, first+i, 1))
			}
			next := h.Next(rows...)
			if err := s.Commit(b.Context(), next); err != nil {
				b.Fatal(err)
			}
			h.Apply(next)
		}
		for b.Loop() {
			loaded, err := s.Load(b.Context(), func(catalog.Version) error { return nil })
			if err != nil || len(loaded.Objects) != records {
				b.Fatalf("loaded %d objects, %v", len(loaded.Objects), err)
			}
		}
	})
}
