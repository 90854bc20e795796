package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// busy gives the world some of everything that is stored.
func (w *world) busy(tb testing.TB) *node {
	tb.Helper()
	n := w.node(tb, "billing", "b-1")
	n.register(tb)
	n.register(tb)
	gone := w.node(tb, "billing", "b-2")
	gone.put(tb, gone.tombstone(tb, gone.register(tb)))
	removed := w.node(tb, "search", "s-1")
	op := w.node(tb, "operator", "olga")
	op.put(tb, op.removal(tb, removed.register(tb)))
	w.node(tb, "search", "s-2").register(tb)
	return n
}

func TestRestartReachesTheSameState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.busy(t)
		before := w.catalog.Snapshot()
		contents := w.store.Contents()
		time.Sleep(time.Hour / 2)
		w.restart(t)
		after := w.catalog.Snapshot()
		if before.Head().Mark() != after.Head().Mark() {
			t.Errorf("got %+v, want %+v", after.Head(), before.Head())
		}
		if diff := cmp.Diff(asJSON(t, before.Services()), asJSON(t, after.Services())); diff != "" {
			t.Errorf("services (-before +after):\n%s", diff)
		}
		wantUnchanged(t, contents, w.store.Contents())
		if diff := cmp.Diff([]string{"s-2"}, w.listed(t, "search")); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		n.register(t) // and it goes on
		mark := before.Head().Mark()
		w.view(t, "billing", &mark)
	})
}

func TestExpiredCertificatesStillLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		n.register(t)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour) // beyond record and certificate
		w.run(t)
		if got := w.listed(t, "billing"); len(got) != 0 {
			t.Errorf("listed: %v", got)
		}
	})
}

func TestCorruptStoresAreNotServed(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(c *memstore.Contents, n *node)
	}{
		{"a record is missing", func(c *memstore.Contents, n *node) { delete(c.Objects, c.Nodes[n.id()].State) }},
		{"a record was altered", func(c *memstore.Contents, n *node) {
			o := c.Objects[c.Nodes[n.id()].State]
			o.Token = o.Token[:len(o.Token)-8] + "AAAAAAAA"
			c.Objects[o.RID] = o
		}},
		{"a record stands under another name", func(c *memstore.Contents, n *node) {
			o := c.Objects[c.Nodes[n.id()].State]
			o.RID = identity.Hash{7}
			c.Objects[o.RID] = o
			row := c.Nodes[n.id()]
			row.State = o.RID
			c.Nodes[n.id()] = row
		}},
		{"a node was hidden", func(c *memstore.Contents, n *node) { delete(c.Nodes, n.id()) }},
		{"a node was unlisted", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.Listed, row.Status, row.Since = false, 0, 0
			c.Nodes[n.id()] = row
		}},
		{"a status was changed", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.Status = 3
			c.Nodes[n.id()] = row
		}},
		{"a status since another time", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.Since--
			c.Nodes[n.id()] = row
		}},
		{"an older record was put back", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			for rid, o := range c.Objects {
				if o.Node == n.id() && rid != row.State {
					row.State = rid
					break
				}
			}
			c.Nodes[n.id()] = row
		}},
		{"a greatest iat below the record's", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.GreatestIAT--
			c.Nodes[n.id()] = row
		}},
		{"a record hides another one", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.Hidden = otherOf(c, n)
			c.Nodes[n.id()] = row
		}},
		{"an older record is evidence", func(c *memstore.Contents, n *node) {
			row := c.Nodes[n.id()]
			row.Evidence = otherOf(c, n)
			c.Nodes[n.id()] = row
		}},
		{"a version in the middle is missing", func(c *memstore.Contents, _ *node) { delete(c.Versions, 3) }},
		{"the newest version is missing", func(c *memstore.Contents, _ *node) { delete(c.Versions, c.Newest) }},
		{"an old leaf was altered", func(c *memstore.Contents, _ *node) {
			v := c.Versions[2]
			v.Leaf = append([]byte{}, v.Leaf...)
			v.Leaf[12]++
			c.Versions[2] = v
		}},
		{"an old change list was altered", func(c *memstore.Contents, _ *node) {
			v := c.Versions[2]
			v.Changes = []byte("[]")
			c.Versions[2] = v
		}},
		{"a row of the log is missing", func(c *memstore.Contents, _ *node) { c.LogRows = c.LogRows[:len(c.LogRows)-1] }},
		{"a row of the log was altered", func(c *memstore.Contents, _ *node) { c.LogRows[0].Hash[0]++ }},
		{"versions were swapped", func(c *memstore.Contents, _ *node) { c.Versions[2], c.Versions[3] = c.Versions[3], c.Versions[2] }},
		{"the last version was cut off", func(c *memstore.Contents, _ *node) { c.Newest-- }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				n := w.busy(t)
				if err := w.stop(); err != nil {
					t.Fatal(err)
				}
				w.store.Edit(func(c *memstore.Contents) { tt.edit(c, n) })
				c, err := w.open(t)
				if corrupt, ok := errors.AsType[*catalog.CorruptError](err); !ok || corrupt.Hint() == "" {
					t.Errorf("got %v, want a corrupt store", err)
				}
				if c.Snapshot() != nil {
					t.Error("a corrupt store is served")
				}
			})
		})
	}
}

// otherOf returns a statement of n that is not its state.
func otherOf(c *memstore.Contents, n *node) identity.Hash {
	for rid, o := range c.Objects {
		if o.Node == n.id() && rid != c.Nodes[n.id()].State {
			return rid
		}
	}
	return identity.Hash{}
}

func TestForeignLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.src = w.ca.Source(w.ca.ID("registry", "r-2"))
		if _, err := w.open(t); !errors.Is(err, catalog.ErrForeignLog) {
			t.Errorf("got %v, want %v", err, catalog.ErrForeignLog)
		}
	})
}

func TestNeverSignsBelowWhatWasSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.head = filepath.Join(t.TempDir(), "head.json")
		w.run(t)
		w.node(t, "billing", "b-1").register(t)
		older := w.store.Contents()
		w.node(t, "billing", "b-2").register(t)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.run(t) // an honest restart is fine
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		newer := w.store.Contents()

		w.store.Edit(func(c *memstore.Contents) { *c = older })
		wantFloor(t, w, "a store that was set back")
		w.store = memstore.New()
		wantFloor(t, w, "a store that was lost")

		w.store.Edit(func(c *memstore.Contents) { *c = newer })
		other := w.catalog.Snapshot().Head().Mark()
		other.Log[0] ^= 1
		if err := os.WriteFile(w.head, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := w.open(t); err == nil {
			t.Error("a torn head file was ignored")
		}
		if err := os.Remove(w.head); err != nil {
			t.Fatal(err)
		}
		wantFloorFrom(t, w, "another log at the same version", other)
		above := w.catalog.Snapshot().Head().Mark()
		above.Version += 5
		wantFloorFrom(t, w, "a higher version", above)
		w.store = memstore.New()
		wantFloorFrom(t, w, "an empty store", w.catalog.Snapshot().Head().Mark())
		if v := w.store.Contents().Newest; v != 0 {
			t.Errorf("version %d was written before others were asked", v)
		}
	})
}

func wantFloor(t *testing.T, w *world, name string) {
	t.Helper()
	c, err := w.open(t)
	if floor, ok := errors.AsType[*catalog.FloorError](err); !ok || floor.Hint() == "" {
		t.Errorf("%s: got %v, want a floor", name, err)
	}
	if c.Snapshot() != nil {
		t.Errorf("%s: signed", name)
	}
}

func wantFloorFrom(t *testing.T, w *world, name string, marks ...identity.RegistryMark) {
	t.Helper()
	cfg := w.config()
	cfg.Floors = func(context.Context) ([]identity.RegistryMark, error) { return marks, errDisk }
	c, err := catalog.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(context.Background()); !asFloor(err) {
		t.Errorf("%s: got %v, want a floor", name, err)
	}
	if c.Snapshot() != nil {
		t.Errorf("%s: signed", name)
	}
}

func asFloor(err error) bool {
	_, ok := errors.AsType[*catalog.FloorError](err)
	return ok
}

func TestHeadFileOnAReadOnlyDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.head = filepath.Join(t.TempDir(), "no such folder", "head.json")
		w.run(t)
		w.node(t, "billing", "b-1").register(t)
		time.Sleep(5 * time.Second)
		w.view(t, "billing", nil)
	})
}
