package healthwatch_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// What was suspect or down when the registry ended is looked at as soon as it is
// heard, however rarely it wants to be probed.
func TestNodeThatWasNotUpBeforeAStartIsProbedWhenItIsHeard(t *testing.T) {
	for _, check := range []identity.CheckType{identity.CheckTCP, identity.CheckMTLS} {
		for _, before := range []healthwatch.Status{healthwatch.Suspect, healthwatch.Down} {
			t.Run(fmt.Sprint(check, " ", before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, healthwatch.Config{Probe: newProber().probe})
					l := probed(t, "db-1", check, 3600)
					l.From, l.Loaded, l.Status = netip.Addr{}, true, before
					w.put(l)
					w.beats(100*time.Millisecond, 5*time.Second, 2*time.Second, l.Node)
					if got := w.statuses(); got != "[up recovered]" {
						t.Errorf("changes %s, want it up after two heartbeats and a probe", got)
					}
				})
			})
		}
	}
}
