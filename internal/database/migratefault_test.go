package database_test

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

// TestKilledMigration kills a process that makes a new store, later in each
// round. Whoever opens the store next finds it whole.
func TestKilledMigration(t *testing.T) {
	dir := t.TempDir()
	for round := range 12 {
		url := database.URL(filepath.Join(dir, string(rune('a'+round))+".db"))
		first := osexec.Command(os.Args[0])
		first.Env = append(os.Environ(), holderEnv+"="+url)
		must(t, first.Start())
		kill := time.AfterFunc(time.Duration(2+3*round)*time.Millisecond, func() { _ = first.Process.Kill() })
		_ = first.Wait() // it was killed
		kill.Stop()
		db := open(t, database.Config{URL: url})
		must(t, db.Write(t.Context(), add(t.Context(), "mine", nil)))
		if n := count(t, db); n != 1 && n != 2 {
			t.Errorf("%d rows, want mine and at most the one that was acknowledged", n)
		}
	}
}

// The connection breaks around the COMMIT of a migration. The next start applies
// it, or finds that it was applied.
func TestConnectionCutAtTheCommitOfAMigration(t *testing.T) {
	for name, cut := range map[string]testpg.Cut{"before it happens": testpg.CutBefore, "after COMMIT was sent": testpg.CutAfter} {
		t.Run(name, func(t *testing.T) {
			for nth := range 4 { // goose commits its own table first
				proxy := testpg.NewCutter(t, testpg.URL(t))
				proxy.CutLater(nth, cut)
				db, err := database.Open(t.Context(), database.Config{URL: proxy.URL(), Migrations: files(items)})
				if err == nil {
					must(t, db.Close())
				} else if proxy.Cuts() == 0 {
					t.Fatalf("nothing was cut: %v", err)
				}
				proxy.Cut(0, testpg.CutNever)
				db = open(t, database.Config{URL: proxy.URL()})
				must(t, db.Write(t.Context(), add(t.Context(), "a", nil)))
				if n := count(t, db); n != 1 {
					t.Errorf("%d rows, want 1", n)
				}
			}
		})
	}
}
