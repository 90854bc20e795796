package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

// provenWorld runs a catalog that keeps its newest head in a file, if it is
// named. Nodes prove themselves at the addresses that good accepts, once the
// registry knows from where they connect.
func provenWorld(tb testing.TB, head string, good func(address string) bool) *world {
	tb.Helper()
	w := newWorld(tb)
	w.head = head
	w.health = &healthwatch.Config{Probe: func(_ context.Context, t probe.Target) error {
		if t.From == home && good(t.Endpoint.Address) {
			return nil
		}
		return errors.New("another identity")
	}}
	w.run(tb)
	return w
}

func atHome(address string) bool { return address == home.String() }

// checkedBy edits a record to one that a kind of check proves, seldom.
func checkedBy(kind identity.CheckType) func(*identity.Record) {
	return func(r *identity.Record) {
		proving(home.String())(r)
		if r.Check.Type = kind; kind == identity.CheckHTTPS {
			r.Check.Path = "/"
		}
	}
}

// follow sends a record's heartbeats for d, and shows as what the node is listed
// all the time.
func (n *node) follow(tb testing.TB, s *identity.Statement, d time.Duration, see func(after time.Duration, status string)) {
	tb.Helper()
	for began := time.Now(); time.Since(began) < d; time.Sleep(100 * time.Millisecond) {
		if err := n.due(s, n.chain); err != nil {
			tb.Fatal(err)
		}
		see(time.Since(began), n.w.status(tb, n.id()))
	}
}

// prove registers a node and lets it be up for ten seconds.
func (n *node) prove(tb testing.TB, edit func(*identity.Record)) {
	tb.Helper()
	s := n.record(tb, edit)
	if _, err := n.bring(s); err != nil {
		tb.Fatal(err)
	}
	n.follow(tb, s, 10*time.Second, func(after time.Duration, status string) {
		if after > time.Second && status != "up" {
			tb.Fatalf("after %s it is %s", after, status)
		}
	})
}

// kill has another process go on from what store and disk hold now.
func (w *world) kill(tb testing.TB) {
	tb.Helper()
	image, stop := w.store.Contents(), w.stop
	w.store.SetFault(away)
	w.store = memstore.New()
	w.store.Edit(func(c *memstore.Contents) { *c = image })
	text, err := os.ReadFile(w.head)
	if err != nil {
		tb.Fatal(err)
	}
	w.head = filepath.Join(tb.TempDir(), "head.json")
	if err := os.WriteFile(w.head, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	w.run(tb)
	go func() { _ = stop() }() // nobody hears of what it still does
}

// unprovenAgain is what the registry logs if it cannot tell who only signed anew.
const unprovenAgain = "nodes that signed anew may have to prove themselves again"

// A registry that ends before it has noted its newest head does not know whether
// that version is complete. Who only signed anew in it does not suffer for that.
func TestRenewalsInTheVeryLastVersionStayUp(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, n *node, s *identity.Statement){
		"after a kill within a second": func(t *testing.T, w *world, n *node, s *identity.Statement) {
			t.Helper()
			if _, err := n.bring(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			w.kill(t)
		},
		"after a stop where heads are not kept": func(t *testing.T, w *world, n *node, s *identity.Statement) {
			t.Helper()
			if err := os.RemoveAll(filepath.Dir(w.head)); err != nil {
				t.Fatal(err)
			}
			if _, err := n.bring(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			w.restart(t)
		},
		"after a stop while it was in doubt": func(t *testing.T, w *world, n *node, s *identity.Statement) {
			t.Helper()
			w.store.SetFault(func(op memstore.Op, done bool) error {
				if op == memstore.Version || op == memstore.Commit && done {
					return errDisk
				}
				return nil
			})
			_, err := n.bring(s)
			wantClass(t, err, identity.Unavailable)
			if err := w.stop(); err != nil {
				t.Fatal(err)
			}
			w.store.SetFault(nil)
			w.run(t)
		},
	} {
		for _, kind := range []identity.CheckType{identity.CheckMTLS, identity.CheckHTTPS, identity.CheckGRPC} {
			t.Run(name+", "+string(kind), func(t *testing.T) {
				head := filepath.Join(t.TempDir(), "head", "head.json")
				if err := os.Mkdir(filepath.Dir(head), 0o700); err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) {
					w := provenWorld(t, head, atHome)
					n := w.node(t, "billing", "b-1")
					n.prove(t, checkedBy(kind))
					s := n.record(t, checkedBy(kind))
					end(t, w, n, s)
					if got := w.store.Contents().Nodes[n.id()]; got.State != s.RID() {
						t.Fatal("the renewal is not in the store")
					}
					n.follow(t, s, 30*time.Second, func(after time.Duration, status string) {
						if status != "up" {
							t.Fatalf("%s after the start it is %s", after, status)
						}
					})
					if strings.Contains(w.log.String(), unprovenAgain) {
						t.Error("something was missing")
					}
				})
			})
		}
	}
}

// What a node wants to be probed in another way, or elsewhere, was not proven by
// what it was before.
func TestChangesInTheVeryLastVersionAreProvedAnew(t *testing.T) {
	for name, change := range map[string]func(*identity.Record){
		"another address":    func(r *identity.Record) { r.Endpoints[0].Address = elsewhere },
		"another port":       func(r *identity.Record) { r.Endpoints[0].Port++ },
		"another check":      func(r *identity.Record) { r.Check.Type = identity.CheckGRPC },
		"another path":       func(r *identity.Record) { r.Check.Type, r.Check.Path = identity.CheckHTTPS, "/" },
		"checked more often": func(r *identity.Record) { r.Check.Interval = 60 },
		"a new epoch":        func(r *identity.Record) { r.Epoch++ },
	} {
		for was, silence := range map[string]time.Duration{"up": 0, "suspect": 35 * time.Second} {
			t.Run(name+" of one that is "+was, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var gone atomic.Bool
					w := provenWorld(t, "", func(string) bool { return !gone.Load() })
					n := w.node(t, "billing", "b-1")
					n.prove(t, proving(home.String()))
					time.Sleep(silence)
					if got := w.status(t, n.id()); got != was {
						t.Fatalf("it is %s", got)
					}
					gone.Store(true)
					w.store.SetFault(failingFrom(2)) // the version that says that it is down
					s := n.record(t, proving(home.String()), change)
					_, err := n.bring(s)
					wantClass(t, err, identity.Unavailable)
					if err := w.stop(); err != nil {
						t.Fatal(err)
					}
					w.store.SetFault(nil)
					if row := w.store.Contents().Nodes[n.id()]; row.State != s.RID() || row.Status == discovery.Down {
						t.Fatalf("the store lists its new record: %v, as %s", row.State == s.RID(), row.Status)
					}
					w.run(t)
					n.follow(t, s, time.Minute, func(after time.Duration, status string) {
						if status != "down" {
							t.Fatalf("%s after the start it is %s without a proof", after, status)
						}
					})
				})
			})
		}
	}
}

// Of two nodes that sign anew in one version one loses its earlier record: that
// one has to prove itself again, and only that one.
func TestRenewalsWithoutTheirEarlierRecordAreProvedAnew(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(c *memstore.Contents, old identity.Hash)
		fault memstore.Fault
	}{
		"it is missing": {edit: func(c *memstore.Contents, old identity.Hash) { delete(c.Objects, old) }},
		"it was altered": {edit: func(c *memstore.Contents, old identity.Hash) {
			o := c.Objects[old]
			o.Token = o.Token[:len(o.Token)-8] + "AAAAAAAA"
			c.Objects[old] = o
		}},
		"it stands under another node": {edit: func(c *memstore.Contents, old identity.Hash) {
			o := c.Objects[old]
			o.Node = c.Registry
			c.Objects[old] = o
		}},
		"the store does not tell": {fault: failing(memstore.Objects, false)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := provenWorld(t, "", atHome)
				x, y := w.node(t, "mail", "m-1"), w.node(t, "billing", "b-1")
				x.prove(t, proving(home.String()))
				y.prove(t, proving(home.String()))
				old := w.store.Contents().Nodes[y.id()].State
				renewedX, renewedY := x.record(t, proving(home.String())), y.record(t, proving(home.String()))
				w.store.SetFault(slowCommits(200 * time.Millisecond))
				together(t, w, func() { _, _ = x.bring(renewedX) }, func() { _, _ = y.bring(renewedY) })
				if err := w.stop(); err != nil {
					t.Fatal(err)
				}
				now := w.store.Contents()
				if a, b := now.Nodes[x.id()], now.Nodes[y.id()]; a.Applied != now.Newest || b.Applied != now.Newest {
					t.Fatalf("applied by versions %d and %d, the newest is %d", a.Applied, b.Applied, now.Newest)
				}
				w.store.SetFault(tt.fault)
				if tt.edit != nil {
					w.store.Edit(func(c *memstore.Contents) { tt.edit(c, old) })
				}
				w.run(t)
				if got := w.status(t, y.id()); got != "down" {
					t.Errorf("without its earlier record it is %s", got)
				}
				if got := w.status(t, x.id()); tt.edit != nil && got != "up" {
					t.Errorf("the other node is %s", got)
				}
				if got := strings.Count(w.log.String(), unprovenAgain); got != 1 {
					t.Errorf("the log says so %d times", got)
				}
				y.follow(t, renewedY, 20*time.Second, func(after time.Duration, status string) {
					if after > 18*time.Second && status != "up" {
						t.Fatalf("%s after the start it is still %s", after, status)
					}
				})
			})
		})
	}
}

// A node that comes back to where it was has to prove itself again, although an
// even earlier record was proven there; and a store may hand over that one.
func TestStoreDoesNotChooseTheEarlierRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		place := home.String()
		move := func(to string) {
			mu.Lock()
			defer mu.Unlock()
			place = to
		}
		w := provenWorld(t, "", func(address string) bool {
			mu.Lock()
			defer mu.Unlock()
			return address == place
		})
		n := w.node(t, "billing", "b-1")
		n.prove(t, proving(home.String()))
		first := w.store.Contents().Nodes[n.id()].State
		move(elsewhere)
		n.prove(t, proving(elsewhere))
		second := w.store.Contents().Nodes[n.id()].State
		w.store.SetFault(failingFrom(2))
		s := n.record(t, proving(home.String()))
		_, err := n.bring(s)
		wantClass(t, err, identity.Unavailable)
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		w.store.SetFault(nil)
		w.store.Edit(func(c *memstore.Contents) { c.Objects[second] = c.Objects[first] })
		w.run(t)
		n.follow(t, s, time.Minute, func(after time.Duration, status string) {
			if status != "down" {
				t.Fatalf("%s after the start it is %s without a proof", after, status)
			}
		})
	})
}
