package database_test

import (
	"errors"
	"testing"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

// The connection breaks around COMMIT. Whether it happened or not, Write says
// that nobody knows, and does not try again.
func TestConnectionCutAtCommitIsInDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		cut  testpg.Cut
		rows int64
	}{
		"before it happens":     {testpg.CutBefore, 0},
		"after COMMIT was sent": {testpg.CutAfter, 1},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := testpg.NewCutter(t, testpg.URL(t))
			db := open(t, database.Config{URL: proxy.URL()})
			proxy.Cut(1, tt.cut)
			calls := 0
			err := db.Write(t.Context(), func(tx *database.Tx) error {
				calls++
				return add(t.Context(), "a", nil)(tx)
			})
			if !errors.Is(err, database.ErrInDoubt) || calls != 1 || proxy.Cuts() != 1 {
				t.Errorf("got %v after %d calls and %d cuts, want %v after one", err, calls, proxy.Cuts(), database.ErrInDoubt)
			}
			if n := count(t, db); n != tt.rows {
				t.Errorf("%d rows, want %d", n, tt.rows)
			}
			if err := db.Write(t.Context(), add(t.Context(), "b", nil)); err != nil {
				t.Errorf("the next write: %v", err)
			}
		})
	}
}
