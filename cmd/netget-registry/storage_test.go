package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/cmd/internal/scripttest"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpg"
)

// An outage is how the store of a running registry stops taking anything, and
// how it comes back.
type outage struct {
	begin, end func(w *crashWorld) error
	hint       string // what the registry's log tells the operator
}

// TestOutagesOfTheStore takes the store away from a running registry. While it
// is away registrations are refused as unavailable, discovery goes on verified
// and heartbeats are taken; when it is back registrations go on by themselves.
// Then the process is killed, and whatever was acknowledged before, meanwhile
// or since is there.
func TestOutagesOfTheStore(t *testing.T) {
	t.Run("files reach the limit of their size", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Log("only Linux limits a process that runs")
			return
		}
		limit := func(bytes uint64) func(w *crashWorld) error {
			return func(w *crashWorld) error { return scripttest.LimitFileSize(w.registry.cmd.Process.Pid, bytes) }
		}
		suffer(t, database.URL(filepath.Join(t.TempDir(), "registry.db")), outage{limit(4096), limit(scripttest.NoLimit), "quota, limits"})
	})
	t.Run("the disk is full", func(t *testing.T) {
		dir := t.TempDir()
		if !mountSmall(t, dir) {
			return
		}
		filler := filepath.Join(dir, "filler")
		suffer(t, database.URL(filepath.Join(dir, "registry.db")), outage{
			func(*crashWorld) error { return fill(filler) },
			func(*crashWorld) error { return os.Remove(filler) },
			"make room",
		})
	})
	t.Run("PostgreSQL stops", func(t *testing.T) {
		server := testpg.New(t)
		suffer(t, server.URL(t), outage{
			func(*crashWorld) error { server.Stop(t); return nil },
			func(*crashWorld) error { server.Start(t); return nil },
			"goes on by itself",
		})
	})
	t.Run("connections break before COMMIT", func(t *testing.T) {
		proxy := testpg.NewCutter(t, testpg.URL(t))
		suffer(t, proxy.URL(), outage{
			func(*crashWorld) error { proxy.Cut(math.MaxInt, testpg.CutBefore); return nil },
			func(*crashWorld) error { proxy.Cut(0, testpg.CutNever); return nil },
			"goes on by itself",
		})
	})
	for name, move := range map[string]func(path string) outage{
		"the file is moved away":             func(path string) outage { return moved(path, false) },
		"the write-ahead log is moved away":  func(path string) outage { return moved(path+"-wal", false) },
		"a copy takes the place of the file": func(path string) outage { return moved(path, true) },
		"a copy takes the place of the log":  func(path string) outage { return moved(path+"-wal", true) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			suffer(t, database.URL(path), move(path))
		})
	}
}

// moved is an outage in which a file is moved away, and perhaps a copy put in its
// place, until the very same file is back.
func moved(path string, copied bool) outage {
	aside := path + ".aside"
	return outage{
		func(*crashWorld) error {
			content, err := os.ReadFile(path)
			if err := errors.Join(err, os.Rename(path, aside)); err != nil || !copied {
				return err
			}
			return os.WriteFile(path, content, 0o600)
		},
		func(*crashWorld) error { return os.Rename(aside, path) },
		"put the very same file back",
	}
}

// TestEveryCommitHappensAlthoughNobodyHears breaks the connection to PostgreSQL
// after each COMMIT, before its answer. The registry asks what happened, and
// every registration is acknowledged, once.
func TestEveryCommitHappensAlthoughNobodyHears(t *testing.T) {
	proxy := testpg.NewCutter(t, testpg.URL(t))
	w := newCrashWorld(t, proxy.URL())
	before, _ := w.verify(t)
	proxy.Cut(math.MaxInt, testpg.CutAfter)
	for _, n := range w.nodes {
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		must(t, n.registerOnce(t.Context()))
		n.client.Close()
	}
	version, missing := w.verify(t)
	if want := before + int64(len(w.nodes)); version != want || missing != 0 || proxy.Cuts() < len(w.nodes) {
		t.Errorf("version %d, want %d; %d missing; %d commits cut", version, want, missing, proxy.Cuts())
	}
	w.registry.kill()
	w.registry.ended(t)
	proxy.Cut(0, testpg.CutNever)
	w.startRegistry(t)
	if _, missing := w.verify(t); missing != 0 {
		t.Errorf("after a kill %d acknowledged registrations are lost", missing)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mountSmall mounts a small file system, if this machine lets us.
func mountSmall(t *testing.T, dir string) bool {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Logf("no small file system here (%v): the limit of files has to do", err)
		return false
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return true
}

// fill writes until there is no room.
func fill(path string) error {
	f, err := os.Create(path)
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte{1}, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("filling the disk: %w", err)
	}
	return f.Close()
}

// suffer brings an outage over a registry with a store.
func suffer(t *testing.T, store string, o outage) {
	t.Helper()
	w := newCrashWorld(t, store)
	for _, n := range w.nodes {
		n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
		defer n.client.Close()
	}
	early, late := w.nodes[:4], w.nodes[4:]
	for _, n := range early {
		must(t, n.registerOnce(t.Context()))
	}
	must(t, o.begin(w))
	wantUnavailable(t, late)
	w.wantService(t, early[0])
	wantUnavailable(t, late[:1]) // and again, at once
	must(t, o.end(w))
	for _, n := range late {
		eventually(t, time.Minute, "registrations go on", func() bool { return n.registerOnce(t.Context()) == nil })
	}
	w.wantService(t, early[0])
	w.registry.kill()
	w.registry.ended(t)
	if log := w.registry.stderr.String(); !strings.Contains(log, "store failed") || !strings.Contains(log, o.hint) {
		t.Errorf("the log does not say what to do (%q):\n%s", o.hint, log)
	}
	w.startRegistry(t)
	if _, missing := w.verify(t); missing != 0 {
		t.Errorf("%d acknowledged registrations are lost", missing)
	}
}

// wantUnavailable lets nodes register until one is refused, as 503 and not
// otherwise. A disk that is full may have room within the files for a few.
func wantUnavailable(t *testing.T, nodes []*crashNode) {
	t.Helper()
	var err error
	for i := 0; err == nil && i < 8*len(nodes); i++ {
		err = nodes[i%len(nodes)].registerOnce(t.Context())
	}
	problem, ok := errors.AsType[*identity.ProblemError](err)
	if !ok || problem.HTTPStatus() != http.StatusServiceUnavailable || identity.CodeOf(err) != identity.Unavailable {
		t.Fatalf("registering without the store: got %v, want 503 unavailable", err)
	}
}

// wantService requires that the registry answers, verifiably with all that was
// acknowledged, and takes a heartbeat.
func (w *crashWorld) wantService(t *testing.T, n *crashNode) {
	t.Helper()
	if _, missing := w.verify(t); missing != 0 {
		t.Errorf("%d acknowledged registrations are not found", missing)
	}
	for k := int64(1); k <= 2; k++ {
		token, _ := n.chain.Token(k)
		if _, err := n.client.Beat(t.Context(), n.client.Remotes()[0], n.acknowledged, identity.Beat{K: k, Token: token}, false); err != nil && identity.CodeOf(err) != identity.Busy {
			t.Errorf("heartbeat: %v", err)
		}
	}
}
