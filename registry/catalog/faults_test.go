package catalog_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// TestFaultsAtStart lets each write of a first start fail, before and after it
// has happened. The start fails or not; the next one goes on from what is there.
func TestFaultsAtStart(t *testing.T) {
	for _, op := range []memstore.Op{memstore.Claim, memstore.Load, memstore.Commit} {
		for moment, after := range map[string]bool{"before it happens": false, "although it happened": true} {
			t.Run(string(op)+" fails "+moment, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.head = filepath.Join(t.TempDir(), "head.json")
					w.store.SetFault(failing(op, after))
					c, err := w.open(t)
					if op != memstore.Commit && !errors.Is(err, errDisk) {
						t.Errorf("got %v, want %v", err, errDisk)
					}
					if !after && c.Snapshot() != nil {
						t.Error("a version that is not stored was signed")
					}
					w.store.SetFault(nil)
					w.run(t)
					if v := w.catalog.Snapshot().Head().Version; v != 1 {
						t.Errorf("the next start: version %d, want 1", v)
					}
					w.node(t, "billing", "b-1").register(t)
				})
			})
		}
	}
}

// TestFaultsBesideTheVersions lets the writes fail that make no version. Each is
// tried again, and a restart finds what they wrote.
func TestFaultsBesideTheVersions(t *testing.T) {
	for _, op := range []memstore.Op{memstore.Keep, memstore.SaveBeats, memstore.Prune} {
		for moment, after := range map[string]bool{"before it happens": false, "although it happened": true} {
			t.Run(string(op)+" fails "+moment, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := start(t)
					w.store.SetFault(failing(op, after))
					n := w.node(t, "billing", "b-1")
					later := n.record(t, func(r *identity.Record) { r.IAT += 30 })
					s := n.register(t)
					_, err := n.submit(later) // Keep stores its iat
					wantClass(t, err, identity.Superseded)
					token, _ := n.chain.Token(1)
					if _, err := w.catalog.Beat(t.Context(), catalog.Peer{Certificate: n.cert}, s.RID(), identity.Beat{K: 1, Token: token}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(61 * time.Minute) // prune as well
					if w.catalog.Stats().StoreErrors == 0 {
						t.Error("nothing failed")
					}
					w.store.SetFault(nil)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					got := w.store.Contents()
					if row := got.Nodes[n.id()]; row.GreatestIAT != later.IssuedAt() {
						t.Errorf("greatest iat %d, want %d", row.GreatestIAT, later.IssuedAt())
					}
					if b := got.Beats[n.id()]; b.Beat.K != 1 || b.RID != s.RID() {
						t.Errorf("the heartbeat is not stored: %+v", b)
					}
					w.restart(t)
				})
			})
		}
	}
}

// TestKillAtEveryCallOfTheStore takes what is stored at every moment around
// every write, as a kill would leave it, and starts a registry on it: whatever
// was acknowledged by then is there, and nothing keeps it from starting.
func TestKillAtEveryCallOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.head = filepath.Join(t.TempDir(), "head.json")
		var images images
		w.store.SetFault(func(op memstore.Op, done bool) error {
			if op == memstore.Ping {
				return nil // changes nothing, every five seconds
			}
			time.Sleep(time.Millisecond) // whoever was answered too early says so now
			images.take(t, w, op, done)
			return nil
		})
		w.run(t)
		w.busyWith(t, &images)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		if len(images.all) < 30 {
			t.Fatalf("only %d images", len(images.all))
		}
		for _, image := range images.all {
			image.check(t, w)
		}
	})
}

// An image is what a kill would leave at one moment.
type image struct {
	what         string
	contents     memstore.Contents
	head         []byte // nil: no file
	acknowledged []*identity.Statement
}

type images struct {
	mu           sync.Mutex
	all          []image
	acknowledged []*identity.Statement
}

func (i *images) take(t *testing.T, w *world, op memstore.Op, done bool) {
	t.Helper()
	head, err := os.ReadFile(w.head)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	moment := " before"
	if done {
		moment = " after"
	}
	i.all = append(i.all, image{string(op) + moment, w.store.Contents(), head, i.acknowledged})
}

func (i *images) note(s *identity.Statement) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.acknowledged = append(slices.Clip(i.acknowledged), s)
}

// busyWith lets nodes do some of everything and notes what is acknowledged.
func (w *world) busyWith(tb testing.TB, i *images) {
	tb.Helper()
	put := func(n *node, s *identity.Statement) *identity.Statement {
		tb.Helper()
		n.put(tb, s)
		i.note(s)
		return s
	}
	n := w.node(tb, "billing", "b-1")
	first := n.record(tb)
	put(n, first)
	token, _ := n.chain.Token(1)
	if _, err := w.catalog.Beat(context.Background(), catalog.Peer{Certificate: n.cert}, first.RID(), identity.Beat{K: 1, Token: token}); err != nil {
		tb.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	put(n, n.record(tb))
	gone, removed, op := w.node(tb, "billing", "b-2"), w.node(tb, "search", "s-1"), w.node(tb, "operator", "olga")
	put(gone, gone.tombstone(tb, put(gone, gone.record(tb))))
	put(op, op.removal(tb, put(removed, removed.record(tb))))
	last := w.node(tb, "search", "s-2")
	refused := last.record(tb, func(r *identity.Record) { r.IAT += 30 })
	put(last, last.record(tb))
	_, err := last.submit(refused)
	wantClass(tb, err, identity.Superseded) // that is kept without a version
	time.Sleep(2 * time.Hour)               // over, and pruned
}

// check starts a registry on the image.
func (i image) check(t *testing.T, w *world) {
	t.Helper()
	store := memstore.New()
	store.Edit(func(c *memstore.Contents) { *c = i.contents })
	cfg := w.config()
	cfg.Store, cfg.HeadFile = store, filepath.Join(t.TempDir(), "head.json")
	cfg.Floors = func(context.Context) ([]identity.RegistryMark, error) { return nil, errDisk }
	if i.head != nil {
		if err := os.WriteFile(cfg.HeadFile, i.head, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := catalog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(context.Background()); err != nil {
		t.Errorf("killed %s: %v", i.what, err)
		return
	}
	newest := map[identity.NodeID]*identity.Statement{}
	for _, s := range i.acknowledged {
		newest[s.Node()] = s
	}
	for node, s := range newest {
		if row, ok := store.Contents().Nodes[node]; !ok || row.State != s.RID() && i.contents.Nodes[node].State == s.RID() {
			t.Errorf("killed %s: what was acknowledged of %s is not its state", i.what, node)
		}
		if i.contents.Objects[s.RID()].Token != s.Token() {
			t.Errorf("killed %s: a statement of %s was acknowledged and is not stored", i.what, node)
		}
	}
}

// TestNothingIsSignedWhereNobodyKnowsTheNewestVersion takes the head file away
// while nobody else answers: what is stored may be an old copy.
func TestNothingIsSignedWhereNobodyKnowsTheNewestVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.head = filepath.Join(t.TempDir(), "head.json")
		var known []identity.RegistryMark
		answers := errDisk
		open := func() (*catalog.Catalog, error) {
			cfg := w.config()
			cfg.Floors = func(context.Context) ([]identity.RegistryMark, error) { return known, answers }
			c, err := catalog.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return c, c.Open(context.Background())
		}
		c, err := open()
		if err != nil {
			t.Fatalf("a first start, before the authority is there: %v", err)
		}
		if text, err := os.ReadFile(w.head); err != nil || !strings.Contains(string(text), `"version":0`) {
			t.Errorf("before the first signature the head file is %q, %v", text, err)
		}
		if _, err := open(); err != nil {
			t.Errorf("the head file says that nothing more was signed: %v", err)
		}
		if err := os.Remove(w.head); err != nil {
			t.Fatal(err)
		}
		refused, err := open()
		unasked, ok := errors.AsType[*catalog.UnaskedError](err)
		if !ok || unasked.Version != 1 || unasked.Hint() == "" || !errors.Is(err, errDisk) {
			t.Errorf("got %v, want one that says that nobody could be asked", err)
		}
		if refused.Snapshot() != nil {
			t.Error("signed")
		}
		answers = nil
		if _, err := open(); err != nil {
			t.Errorf("the authority knows nothing of this registry: %v", err)
		}
		known, answers = []identity.RegistryMark{c.Snapshot().Head().Mark()}, errDisk
		if err := os.RemoveAll(w.head); err != nil {
			t.Fatal(err)
		}
		if _, err := open(); err != nil {
			t.Errorf("one of several knows: %v", err)
		}
		if err := os.WriteFile(w.head, []byte(`{"registry":`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(w.head, 0o620); err != nil {
			t.Fatal(err)
		}
		if _, err := open(); !errors.Is(err, identity.ErrFileMode) {
			t.Errorf("a head file that others may change: got %v, want ErrFileMode", err)
		}
		if err := os.Chmod(w.head, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = open()
		if torn, ok := errors.AsType[*catalog.HeadFileError](err); !ok || torn.File != w.head || torn.Hint() == "" {
			t.Errorf("a torn head file: got %v", err)
		}
	})
}

// TestHeadFileComesBack lets the file of the newest head fail for a while.
func TestHeadFileComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		dir := filepath.Join(t.TempDir(), "identity")
		w.head = filepath.Join(dir, "head.json")
		w.run(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		time.Sleep(3 * time.Second)
		if got := strings.Count(w.log.String(), "newest head not written to its file"); got != 1 {
			t.Errorf("the log says %d times that the head file cannot be written, want once", got)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if text, err := os.ReadFile(w.head); err != nil || !strings.Contains(string(text), `"version":2`) {
			t.Errorf("the head file is %q, %v", text, err)
		}
	})
}
