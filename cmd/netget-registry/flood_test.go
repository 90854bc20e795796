package main_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/testdrill"
)

// What the server promises of connections that do nothing, and what a drill
// grants it on top.
const (
	silentLimit = 6 * time.Second   // a server waits 5 s for a handshake, and for a header
	idleAfter   = 2 * time.Minute   // the idle time-out
	idleLimit   = 125 * time.Second // from the reply to the end
	nextLimit   = 8 * time.Second   // later than that, it was another time-out
)

// floodSizes are how many connections of each kind come, and for how long
// nothing does before each flood.
type floodSizes struct {
	silent, slow, idle, tooMany int
	repeat                      int // of silent and slow ones, each after quiet; 0: once, all together
	quiet                       time.Duration
	identities                  int // that the idle ones share, so that none has more than an identity may have
	idlePace                    int // idle connections made in a second
	settle                      time.Duration
}

func sizesOf(t *testing.T) floodSizes {
	t.Helper()
	if testdrill.Full(t) {
		return floodSizes{silent: 3000, slow: 400, idle: 10_000, tooMany: 6000, repeat: 3, quiet: 10 * time.Second, identities: 200, idlePace: 400, settle: 5 * time.Minute}
	}
	return floodSizes{silent: 100, slow: 20, idle: 50, quiet: time.Second, identities: 5, idlePace: 100, settle: time.Minute}
}

// The kinds of floods that the server ends by its shortest time-outs.
const (
	silentFlood     = "silent"
	handshakeFlood  = "slow handshakes"
	headerFlood     = "slow headers"
	oneAddressFlood = "one address"
	comingFlood     = "idle ones coming"
	idleFlood       = "idle ones there"
)

// quietBefore names the quiet that a flood is compared with: whatever else the
// machine does meets both.
func quietBefore(kind string) string {
	if kind == idleFlood {
		kind = comingFlood // they come, and then they are there
	}
	return "quiet before " + kind
}

func muteKinds() []string { return []string{silentFlood, handshakeFlood, headerFlood} }

// TestFlood opens connections that say nothing, that send a handshake or a
// header a byte at a time, and authenticated ones that idle, while other
// clients ask. The server must end them as its limits say, must answer every
// question of the others meanwhile, and must give back what it used.
func TestFlood(t *testing.T) {
	t.Parallel()
	sizes := sizesOf(t)
	w := newFloodWorld(t, sizes)
	w.others.begin(t)
	w.quiet("")
	before := w.usage(t)
	stop := w.watchUsage(t)
	w.mutes(t, sizes)
	w.idlers(t, sizes)
	stop()
	w.settled(t, before, sizes.settle)
	w.others.end()
	w.others.report(t)
}

// A floodWorld is a registry with clients that it serves, and the floods that
// it meets.
type floodWorld struct {
	*drillWorld
	sizes      floodSizes
	others     *others
	identities []string // folders of those whose connections idle
	peak       usage    // of the watcher while it runs

	mu       sync.Mutex
	closings map[string][]closing // of all floods of a kind; guarded by mu
}

func newFloodWorld(t *testing.T, sizes floodSizes) *floodWorld {
	t.Helper()
	w := &floodWorld{drillWorld: newDrillWorld(t), sizes: sizes, closings: map[string][]closing{}}
	w.flags = []string{"--ops-address", "127.0.0.1:0"}
	w.start(t)
	w.listNodes(t, 10)
	w.others = newOthers(t, w.drillWorld)
	for i := range sizes.identities {
		w.identities = append(w.identities, w.enrolNamed(t, "client", fmt.Sprintf("idle-%d", i)).Folder().Dir())
	}
	return w
}

// mutes are the floods of those who never come to a question: in turns with
// quiet, or all at once where nothing is measured.
func (w *floodWorld) mutes(t *testing.T, sizes floodSizes) {
	t.Helper()
	jobs := map[string]floodJob{
		silentFlood:    {Count: sizes.silent, Net: 2, Pace: silentPace},
		handshakeFlood: {Count: sizes.slow, Net: 4, Pace: sizes.idlePace},
		headerFlood:    {Count: sizes.slow, Net: 5, Pace: sizes.idlePace},
	}
	if sizes.repeat == 0 {
		var all sync.WaitGroup
		for _, kind := range muteKinds() {
			all.Go(func() { w.run(t, kind, jobs[kind]) })
		}
		all.Wait()
	}
	for range sizes.repeat {
		for _, kind := range muteKinds() {
			w.quiet(kind)
			w.others.during(kind)
			w.run(t, kind, jobs[kind])
		}
	}
	if sizes.tooMany > 0 {
		w.quiet(oneAddressFlood)
		w.others.during(oneAddressFlood)
		w.run(t, oneAddressFlood, floodJob{Count: sizes.tooMany, Net: 3, Pace: oneAddressPace})
	}
	w.others.during("")
	for _, kind := range append(muteKinds(), oneAddressFlood) {
		w.reportShed(t, kind, silentLimit)
	}
}

// run is one flood from its first connection to the end of its last.
func (w *floodWorld) run(t *testing.T, kind string, job floodJob) {
	t.Helper()
	f := w.flooder(t, kind, job)
	if f.read(t).Open {
		w.add(kind, f.read(t).Closings)
	}
	f.end()
}

func (w *floodWorld) flooder(t *testing.T, kind string, job floodJob) *flooder {
	t.Helper()
	job.Kind, job.Address, job.Identities = kind, w.address, w.identities
	return startFlooder(t, job)
}

func (w *floodWorld) add(kind string, ended []closing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closings[kind] = append(w.closings[kind], ended...)
}

// quiet lets the other clients be alone for a while, before a flood of a kind.
func (w *floodWorld) quiet(kind string) {
	w.others.during(quietBefore(kind))
	<-time.After(w.sizes.quiet)
	w.others.during("")
}

// idlers are connections that have asked one question. The others are watched
// while they come and while all of them are there.
func (w *floodWorld) idlers(t *testing.T, sizes floodSizes) {
	t.Helper()
	w.quiet(comingFlood)
	w.others.during(comingFlood)
	f := w.flooder(t, idleFlood, floodJob{Count: sizes.idle, Net: 6, Pace: sizes.idlePace})
	if !f.read(t).Open {
		t.FailNow()
	}
	w.others.during(idleFlood)
	defer w.others.during("")
	if !testdrill.Full(t) {
		f.end() // nobody waits for the idle time-out here
		return
	}
	w.add(idleFlood, f.read(t).Closings)
	w.others.during("")
	w.reportShed(t, idleFlood, idleLimit)
	for _, c := range w.closings[idleFlood] {
		if c.Refused || c.After < idleAfter-time.Second {
			t.Errorf("an authenticated connection that idles was ended after %s", c.After)
		}
	}
}

// reportShed says how the connections of a kind have ended, which they must: by
// the time-out that is meant for them and not by a longer one. Outside of the whole
// drill the machine may be about something else for a while; then half of them tell.
func (w *floodWorld) reportShed(t *testing.T, kind string, limit time.Duration) {
	t.Helper()
	if len(w.closings[kind]) == 0 {
		return // it did not come
	}
	var refused int
	var kept spread
	for _, c := range w.closings[kind] {
		switch {
		case c.Refused:
			refused++
		case c.After < 0 || testdrill.Full(t) && c.After > limit+nextLimit:
			t.Errorf("%s: a connection was not ended by its time-out (%s; negative: never)", kind, c.After)
		default:
			kept = append(kept, c.After)
		}
	}
	if len(kept) == 0 {
		t.Errorf("%s: not one of %d connections was let in and ended", kind, len(w.closings[kind]))
		return
	}
	if half := kept.part(0.5); half > limit+nextLimit {
		t.Errorf("%s: half of the connections were not ended by their time-out, but after %s", kind, half)
	}
	testdrill.Say(t, "%s: %d connections (%s): %d refused at once; %d let in and ended by the server after p50 %s, max %s (limit %s)",
		testdrill.Verdict(slices.Max(kept) <= limit), len(w.closings[kind]), kind, refused, len(kept), ms(kept.part(0.5)), ms(slices.Max(kept)), limit)
}

// manyAddresses returns addresses that share no limit of one address:
// 127.0.<net>.1 and so on. Systems other than Linux have one loopback address.
func manyAddresses(net byte) []netip.Addr {
	if runtime.GOOS != "linux" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	addrs := make([]netip.Addr, 0, 250)
	for host := byte(1); host <= 250; host++ {
		addrs = append(addrs, netip.AddrFrom4([4]byte{127, 0, net, host}))
	}
	return addrs
}
