package store_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/migrations"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalogtest"
	"github.com/neurons-me/netget/registry/store"
)

// committerEnv makes the test binary a process that commits to that URL.
const committerEnv = "NETGET_TEST_COMMITTER"

func TestMain(m *testing.M) {
	if url := os.Getenv(committerEnv); url != "" {
		if err := commitForEver(url); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKill kills the process that commits, as often as it takes to hit it at
// every moment. What it had acknowledged is there, and nothing by half.
func TestKill(t *testing.T) {
	const rounds = 20
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		var before int64
		for round := range rounds {
			acknowledged := commitAndDie(t, url, 1+round%7)
			if acknowledged <= before {
				t.Fatalf("round %d: version %d was acknowledged after version %d", round, acknowledged, before)
			}
			before = verifyAfterDeath(t, url, acknowledged)
		}
	})
}

// commitAndDie runs a process until it has acknowledged a number of commits,
// kills it, and returns the last version that it acknowledged.
func commitAndDie(t *testing.T, url string, commits int) (version int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), committerEnv+"="+url)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // where the test fails early
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ { // also what it had said when it died
		if version, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Errorf("the process said %q", lines.Text())
		}
		if n == commits {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return version
}

func verifyAfterDeath(t *testing.T, url string, acknowledged int64) (newest int64) {
	t.Helper()
	db := openDB(t, database.Config{URL: url})
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	versions, loaded, err := catalogtest.Contents(t.Context(), newStore(t, db, production(t)))
	if err != nil {
		t.Fatalf("Load after death: %v", err)
	}
	if loaded.Version < acknowledged {
		t.Fatalf("version %d is gone, the newest is %d", acknowledged, loaded.Version)
	}
	h := catalogtest.NewHistory(production(t))
	for range loaded.Version {
		h.Apply(step(h))
	}
	if diff := catalogtest.Diff(h, versions, loaded); diff != "" {
		t.Fatalf("after death (-want +got):\n%s", diff)
	}
	catalogtest.ExpectEvents(t, newStore(t, db, production(t)), h)
	return loaded.Version
}

// step is the next batch of the one history that these processes write.
func step(h *catalogtest.History) catalog.Batch {
	n := len(h.Versions)
	rows := make([]catalog.NodeRow, 0, 4)
	for i := range 4 {
		node, err := identity.NewNodeID(h.Network, "databaseservice", "node-"+strconv.Itoa((n+i*3)%10))
		if err != nil {
			panic(err) // the names above are good
		}
		rows = append(rows, catalog.NodeRow{Node: node, State: catalogtest.RID("state", i, n), GreatestIAT: int64(n)})
	}
	b := h.Next(rows...)
	h.AddEvents(&b, rows[0].Node, identity.NodeID{})
	return b
}

// commitForEver goes on where the store ends, and says each version that was
// acknowledged.
func commitForEver(url string) error {
	ctx := context.Background()
	network, err := identity.ParseTrustDomain("production.netget.internal")
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, database.Config{URL: url, Migrations: migrations.Registry})
	if err != nil {
		return err
	}
	s, err := store.New(db, network)
	if err != nil {
		return err
	}
	h := catalogtest.NewHistory(network)
	for {
		_, loaded, err := catalogtest.Contents(ctx, s)
		if err != nil {
			return err
		}
		for int64(len(h.Versions)) < loaded.Version {
			h.Apply(step(h))
		}
		if err := commitOn(ctx, s, h); !errors.Is(err, catalog.ErrConflict) {
			return err
		} // else a dead process's last commit came through now
	}
}

func commitOn(ctx context.Context, s *store.Store, h *catalogtest.History) error {
	for {
		b := step(h)
		if err := s.Commit(ctx, b); err != nil {
			return err
		}
		h.Apply(b)
		if _, err := os.Stdout.WriteString(strconv.FormatInt(b.Version.Version, 10) + "\n"); err != nil {
			return err
		}
	}
}
