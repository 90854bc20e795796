package catalog_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
	"github.com/neurons-me/netget/registry/catalog/memstore"
)

var errDisk = errors.New("the disk is away")

// failing makes every call of op fail, before or after it has happened.
func failing(op memstore.Op, after bool) memstore.Fault {
	return func(got memstore.Op, done bool) error {
		if got == op && done == after {
			return errDisk
		}
		return nil
	}
}

// once lets only the first n calls of a fault fail.
func once(n int, f memstore.Fault) memstore.Fault {
	return func(op memstore.Op, done bool) error {
		err := f(op, done)
		if err != nil && n > 0 {
			n--
			return err
		}
		return nil
	}
}

// away is a store that does not answer at all.
func away(memstore.Op, bool) error { return errDisk }

func TestCommitFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault memstore.Fault
	}{
		{"fails once before it happens", once(1, failing(memstore.Commit, false))},
		{"happens once although we hear a failure", once(1, failing(memstore.Commit, true))},
		{"fails three times before it happens", once(3, failing(memstore.Commit, false))},
		{"happens, and asking what happened fails too", once(3, func(op memstore.Op, done bool) error {
			if op == memstore.Commit && done || op == memstore.Version {
				return errDisk
			}
			return nil
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				n := w.node(t, "billing", "b-1")
				w.store.SetFault(tt.fault)
				out := n.put(t, n.record(t))
				if out.Applied != 2 || out.Snapshot.Head().Version != 2 {
					t.Errorf("applied by version %d, want 2", out.Applied)
				}
				if got := w.listed(t, "billing"); len(got) != 1 {
					t.Errorf("listed: %v", got)
				}
				w.restart(t)
				if v := w.catalog.Snapshot().Head().Version; v != 2 {
					t.Errorf("after the restart version %d, want 2", v)
				}
			})
		})
	}
}

func TestOutageEndsWell(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault memstore.Fault
	}{
		{"the commit fails before it happens", away},
		{"the commit happens although we hear a failure", func(op memstore.Op, done bool) error {
			if op == memstore.Commit && !done {
				return nil
			}
			return errDisk
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				n, m := w.node(t, "billing", "b-1"), w.node(t, "billing", "b-2")
				s := n.record(t)
				w.store.SetFault(tt.fault)
				_, err := n.submit(s)
				wantClass(t, err, identity.Unavailable)
				synctest.Wait() // who waits is told first
				if v := w.catalog.Snapshot().Head().Version; v != 1 {
					t.Errorf("version %d was published before it was known to be durable", v)
				}
				if !w.catalog.Stats().Doubt {
					t.Error("the stats hide the doubt")
				}
				began := time.Now()
				_, err = m.submit(m.record(t))
				wantClass(t, err, identity.Unavailable)
				if waited := time.Since(began); waited > 100*time.Millisecond {
					t.Errorf("during the outage a refusal took %s", waited)
				}
				time.Sleep(20 * time.Second)
				w.view(t, "billing", nil) // discovery goes on from memory

				w.store.SetFault(nil)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if out, err := n.submit(s); err != nil || out.Created {
					t.Errorf("posting the same again: got %+v, %v, want 200", out, err)
				}
				m.register(t)
				if got := w.listed(t, "billing"); len(got) != 2 {
					t.Errorf("listed: %v", got)
				}
				w.restart(t)
				if got := w.listed(t, "billing"); len(got) != 2 {
					t.Errorf("listed after the restart: %v", got)
				}
			})
		})
	}
}

func TestLongOutageEndsSigning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.store.SetFault(away)
		time.Sleep(590 * time.Second)
		w.view(t, "billing", nil) // still signed
		time.Sleep(30 * time.Second)
		last := w.catalog.Snapshot().Head().IAT
		time.Sleep(60 * time.Second)
		if iat := w.catalog.Snapshot().Head().IAT; iat != last {
			t.Errorf("signed after more than 600 s without the store")
		}
		w.store.SetFault(nil)
		time.Sleep(10 * time.Second)
		w.view(t, "billing", nil)
	})
}

func TestAnotherWriterEndsTheCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		w.store.Edit(func(c *memstore.Contents) {
			c.Newest = 2
			c.Versions[2] = catalog.Version{Version: 2, Leaf: []byte("{}"), Changes: []byte("[]")}
		})
		_, err := n.submit(n.record(t))
		wantClass(t, err, identity.Unavailable)
		synctest.Wait()
		if err := w.catalog.Err(); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("Err: got %v, want a conflict", err)
		}
		if _, ok := errors.AsType[*catalog.DivergedError](w.stop()); !ok {
			t.Error("Run ended without saying that the log diverged")
		}
		_, err = n.submit(n.record(t))
		wantClass(t, err, identity.Unavailable)
		if v := w.catalog.Snapshot().Head().Version; v != 1 {
			t.Errorf("version %d was published", v)
		}
	})
}

func TestStopCommitsWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		n := w.node(t, "billing", "b-1")
		entered, leave := make(chan struct{}), make(chan struct{})
		first := true
		w.store.SetFault(func(op memstore.Op, done bool) error {
			if op == memstore.Commit && !done && first {
				first = false
				close(entered)
				<-leave
				return errDisk
			}
			return nil
		})
		got := make(chan error, 1)
		s := n.record(t)
		go func() {
			_, err := n.submit(s)
			got <- err
		}()
		<-entered
		stopped := make(chan error, 1)
		go func() { stopped <- w.stop() }()
		synctest.Wait()
		close(leave)
		if err := <-got; err != nil {
			t.Errorf("a statement taken before the stop: %v", err)
		}
		if err := <-stopped; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := w.catalog.Submit(context.Background(), s.Token(), catalog.Peer{Certificate: n.cert}); identity.CodeOf(err) != identity.Unavailable {
			t.Errorf("after the stop: got %v, want unavailable", err)
		}
	})
}
