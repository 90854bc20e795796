package database_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

// BenchmarkWrite tells what a durable row costs, alone and in company. The
// server of these tests does not sync; SQLite does.
func BenchmarkWrite(b *testing.B) {
	for _, engine := range []string{database.SQLite, database.Postgres} {
		for _, batch := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/batch=%d", engine, batch), func(b *testing.B) { benchmarkWrite(b, engine, batch) })
		}
	}
}

func benchmarkWrite(b *testing.B, engine string, batch int) {
	b.Helper()
	url := database.URL(filepath.Join(b.TempDir(), "bench.db"))
	if engine == database.Postgres {
		url = testpg.URL(b)
	}
	db, err := database.Open(b.Context(), database.Config{URL: url, Migrations: files(items)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	body := make([]byte, 900)
	rows := make([][]any, batch)
	next := 0
	for b.Loop() {
		for i := range rows {
			rows[i] = []any{fmt.Sprint(next), 1, body, nil}
			next++
		}
		err := db.Write(b.Context(), func(tx *database.Tx) error {
			_, err := tx.ExecMany(b.Context(), insert, rows)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(next), "µs/row")
}
