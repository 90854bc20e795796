package registry_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// A wait is a response under way, as [waits] knows it.
type wait struct {
	owner  int
	parts  [][]byte
	weight float64 // as of the last weighing
	done   func()
}

// waits are all of them, the oldest first: the rule about what ends, done in the
// simplest way.
type waits []*wait

// bytes returns what all of them keep.
func (ws waits) bytes() (sum int64) {
	seen := map[*byte]bool{}
	for _, w := range ws {
		for _, part := range w.parts {
			if len(part) > 0 && !seen[&part[0]] {
				seen[&part[0]] = true
				sum += int64(len(part))
			}
		}
	}
	return sum
}

// weigh gives each what it keeps, of each part its share.
func (ws waits) weigh() {
	responses := map[*byte]int{}
	for _, w := range ws {
		for _, part := range w.parts {
			if len(part) > 0 {
				responses[&part[0]]++
			}
		}
	}
	for _, w := range ws {
		w.weight = 0
		for _, part := range w.parts {
			if len(part) > 0 {
				w.weight += float64(len(part)) / float64(responses[&part[0]])
			}
		}
	}
}

// weight returns what those of an owner weigh.
func (ws waits) weight(owner int) (sum float64) {
	for _, w := range ws {
		if w.owner == owner {
			sum += w.weight
		}
	}
	return sum
}

// mayEnd reports whether w is what ends next: the oldest of an owner who weighs
// most, of those who have another than the newest.
func (ws waits) mayEnd(w *wait) bool {
	newest, most := ws[len(ws)-1], 0.0
	for _, other := range ws {
		if ws.oldest(other.owner) != newest {
			most = max(most, ws.weight(other.owner))
		}
	}
	return w != newest && ws.oldest(w.owner) == w && ws.weight(w.owner) > most-1e-6
}

func (ws waits) oldest(owner int) *wait {
	return ws[slices.IndexFunc(ws, func(w *wait) bool { return w.owner == owner })]
}

// clients returns so many identities.
func clients(tb testing.TB, n int) []identity.NodeID {
	tb.Helper()
	td, err := identity.ParseTrustDomain("production.netget.internal")
	if err != nil {
		tb.Fatal(err)
	}
	ids := make([]identity.NodeID, n)
	for i := range ids {
		if ids[i], err = identity.NewNodeID(td, "client", fmt.Sprintf("c-%d", i)); err != nil {
			tb.Fatal(err)
		}
	}
	return ids
}

// Whatever comes and goes, what ends is the oldest response of who weighs most,
// and no more than has to.
func TestWhoWeighsMostEndsFirst(t *testing.T) {
	const most, owners = 1000, 9
	random := rand.New(rand.NewPCG(1, 2))
	ids := clients(t, owners)
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
		all.weigh()
		w.done = u.Begin(ids[w.owner], w.parts, func() {
			ended++
			if all.bytes() <= most || !all.mayEnd(w) {
				t.Errorf("a response ended out of turn, of %d bytes in all", all.bytes())
			}
			all = slices.DeleteFunc(all, func(other *wait) bool { return other == w })
		})
		if got := u.Bytes(); got != all.bytes() || got > most {
			t.Fatalf("%d bytes are kept, want %d, at most %d", got, all.bytes(), most)
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

// Many wait for one large answer, and a few for small ones of their own that
// together are too much: those who share one end last.
func TestWhoSharesAnAnswerEndsLast(t *testing.T) {
	const honest, greedy, large = 20, 11, 1000
	ids := clients(t, honest+greedy)
	u := registry.NewUnsent(2 * large)
	shared := make([]byte, large)
	for _, id := range ids[:honest] {
		u.Begin(id, [][]byte{shared}, func() { t.Error("a reader of what all read was cut") })
	}
	cut := 0
	for _, id := range ids[honest:] {
		for range 4 {
			u.Begin(id, [][]byte{make([]byte, large/10)}, func() { cut++ })
		}
	}
	if want := greedy*4 - 10; cut != want {
		t.Errorf("%d of the others were cut, want %d", cut, want)
	}
}

// What nobody asks for any more weighs in full on everyone who keeps it alive: so
// many who stall on the same old answers end before those who read new ones.
func TestWhoKeepsOldAnswersAliveTogetherEndsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const together, old, most = 48, 10, 256
		ids := clients(t, together+2)
		u := registry.NewUnsent(most)
		bodies := make([][]byte, old)
		cut := 0
		for i := range bodies {
			bodies[i] = make([]byte, 24)
			for _, id := range ids[:together] {
				u.Begin(id, [][]byte{bodies[i]}, func() { cut++ })
			}
		}
		time.Sleep(time.Minute)
		fine := func() { t.Error("a reader of a new answer was cut") }
		for _, id := range ids[together:] { // two who read one answer slowly, and others beside it
			defer u.Begin(id, [][]byte{make([]byte, 40)}, fine)()
			for range 10 {
				u.Begin(id, [][]byte{make([]byte, 20)}, fine)()
			}
		}
		if cut < together {
			t.Errorf("%d of those who keep old answers alive were cut", cut)
		}
	})
}

// BenchmarkUnsentAboveTheLimit is one response more where 10,000 of other bodies
// wait, so that one has to end.
func BenchmarkUnsentAboveTheLimit(b *testing.B) {
	const waiting = 10_000
	ids := clients(b, 200)
	u := registry.NewUnsent(waiting)
	begin := func(i int) { u.Begin(ids[i%len(ids)], [][]byte{make([]byte, 1)}, func() {}) }
	for i := range waiting {
		begin(i)
	}
	for i := 0; b.Loop(); i++ {
		begin(i)
	}
}
