package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// A wait is a response under way, as [waits] knows it.
type wait struct {
	owner int
	parts [][]byte
	done  func()
}

// waits are all of them, the oldest first: the rule about what ends, done in the
// simplest way.
type waits []*wait

// bytes returns what those of an owner keep, each part once; -1: of all.
func (ws waits) bytes(owner int) (sum int64) {
	seen := map[*byte]bool{}
	for _, w := range ws {
		for _, part := range w.parts {
			if (owner < 0 || w.owner == owner) && len(part) > 0 && !seen[&part[0]] {
				seen[&part[0]] = true
				sum += int64(len(part))
			}
		}
	}
	return sum
}

// mayEnd reports whether w is what ends next: the oldest of an owner who keeps
// most, of those who have another than the newest.
func (ws waits) mayEnd(w *wait) bool {
	newest, most := ws[len(ws)-1], int64(0)
	for _, other := range ws {
		if ws.oldest(other.owner) != newest {
			most = max(most, ws.bytes(other.owner))
		}
	}
	return w != newest && ws.oldest(w.owner) == w && ws.bytes(w.owner) == most
}

func (ws waits) oldest(owner int) *wait {
	return ws[slices.IndexFunc(ws, func(w *wait) bool { return w.owner == owner })]
}

// Whatever comes and goes, what ends is the oldest response of who keeps most,
// and no more than has to.
func TestWhoKeepsMostEndsFirst(t *testing.T) {
	const most, owners = 1000, 9
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([]identity.NodeID, owners)
	td, err := identity.ParseTrustDomain("production.netget.internal")
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		if ids[i], err = identity.NewNodeID(td, "client", fmt.Sprintf("c-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	shared := make([][]byte, 20)
	for i := range shared {
		shared[i] = make([]byte, 20+random.IntN(200))
	}
	u := registry.NewUnsent(most)
	var all waits
	ended := 0
	for range 5_000 {
		if len(all) > 0 && random.IntN(4) == 0 {
			i := random.IntN(len(all))
			all[i].done()
			all = slices.Delete(all, i, i+1)
			continue
		}
		w := &wait{owner: random.IntN(owners), parts: [][]byte{shared[random.IntN(len(shared))], nil, make([]byte, 1+random.IntN(50))}}
		all = append(all, w)
		w.done = u.Begin(ids[w.owner], w.parts, func() {
			ended++
			if all.bytes(-1) <= most || !all.mayEnd(w) {
				t.Errorf("a response ended out of turn, of %d bytes in all", all.bytes(-1))
			}
			all = slices.DeleteFunc(all, func(other *wait) bool { return other == w })
		})
		if got := u.Bytes(); got != all.bytes(-1) || got > most {
			t.Fatalf("%d bytes are kept, want %d, at most %d", got, all.bytes(-1), most)
		}
	}
	if ended == 0 {
		t.Error("nothing ended")
	}
	for _, w := range all {
		w.done()
	}
	if u.Bytes() != 0 || u.Owners() != 0 {
		t.Errorf("%d bytes of %d identities are kept when all is over", u.Bytes(), u.Owners())
	}
}
