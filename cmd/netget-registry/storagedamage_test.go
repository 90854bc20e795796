package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/database"
)

// TestDamageUnderARunningRegistry damages the files of a store in their place.
// Discovery goes on as it was; registrations go on or are refused as
// unavailable. The next start refuses the store, with code 6 and two lines, or
// finds all that was acknowledged.
func TestDamageUnderARunningRegistry(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string, old []byte){
		"an old copy is written over it": func(t *testing.T, path string, old []byte) {
			t.Helper()
			overwrite(t, path, 0, old)
		},
		"pages in the middle become zeros": func(t *testing.T, path string, _ []byte) {
			t.Helper()
			overwrite(t, path, 4096*4, make([]byte, 4096*6))
		},
		"the write-ahead log becomes garbage": func(t *testing.T, path string, _ []byte) {
			t.Helper()
			overwrite(t, path+"-wal", 4096, bytes.Repeat([]byte("garbage "), 4000))
		},
		"the write-ahead log is emptied": func(t *testing.T, path string, _ []byte) {
			t.Helper()
			must(t, os.Truncate(path+"-wal", 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			w := newCrashWorld(t, database.URL(path))
			for _, n := range w.nodes {
				n.restart(w.newDiscovery(t, n.source, n.marks, time.Now))
				defer n.client.Close()
				must(t, n.registerOnce(t.Context()))
			}
			w.registry.stop(t) // folds the log into the file
			old, err := os.ReadFile(path)
			must(t, err)
			w.startRegistry(t)
			for _, n := range w.nodes[:4] {
				must(t, n.registerOnce(t.Context()))
			}
			damage(t, path, old)
			w.verify(t)
			for _, n := range w.nodes[4:] {
				if err := n.registerOnce(t.Context()); err != nil && identity.CodeOf(err) != identity.Unavailable {
					t.Errorf("registering on a damaged store: %v", err)
				}
			}
			if _, missing := w.verify(t); missing != 0 {
				t.Errorf("%d acknowledged registrations are not found", missing)
			}
			w.awaitHeadFile(t)
			w.registry.kill()
			w.registry.ended(t)
			w.startDamaged(t)
		})
	}
}

// overwrite changes a file in its place.
func overwrite(t *testing.T, path string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	_, err = f.WriteAt(with, at)
	must(t, err)
}

// startDamaged starts the registry and wants all or nothing.
func (w *crashWorld) startDamaged(t *testing.T) {
	t.Helper()
	if _, ready := w.tryStart(t); ready {
		if _, missing := w.verify(t); missing != 0 {
			t.Errorf("it started, and %d acknowledged registrations are lost", missing)
		}
		t.Log("all is there")
		return
	}
	_ = w.registry.cmd.Wait() // its exit code is what counts
	exit, said := w.registry.cmd.ProcessState.ExitCode(), w.registry.stderr.String()
	last := regexp.MustCompile(`(?:^|\n)\{"error":\{"code":"untrusted","exit":6,"message":"(.+)","hint":"(.+)"\}\}\n$`).FindStringSubmatch(said)
	if exit != 6 || last == nil {
		t.Fatalf("it ended with code %d, want 6, and said\n%s", exit, said)
	}
	t.Log(last[1])
}

// awaitHeadFile waits until the file beside the store names the newest version,
// which it does within about a second. A store that lost less than that is
// noticed by those who hold receipts, see TestAMarkOfAnotherHistoryEndsTheNetwork.
func (w *crashWorld) awaitHeadFile(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "the newest version is kept outside of the store", func() bool {
		text, err := os.ReadFile(filepath.Join(w.home(), "registry", "identity", "head.json"))
		must(t, err)
		var mark struct{ Version int64 }
		must(t, json.Unmarshal(text, &mark))
		return mark.Version >= w.newest
	})
}
