package pki_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

// An interruptedClock runs something in the middle of what reads it.
type interruptedClock struct {
	*clock
	mu        sync.Mutex
	left      int    // readings until then; guarded by mu
	meanwhile func() // guarded by mu; nil when it was run
}

func (c *interruptedClock) Now() time.Time {
	c.mu.Lock()
	var run func()
	if c.left--; c.left == 0 {
		run, c.meanwhile = c.meanwhile, nil
	}
	c.mu.Unlock()
	if run != nil {
		run()
	}
	return c.clock.Now()
}

func (c *interruptedClock) arm(left int, meanwhile func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.meanwhile = left, meanwhile
}

// A registry that signs two logs reports both at once. At whichever moment of
// the one report the other comes, only one of them is taken.
func TestTwoHeadsAtOnce(t *testing.T) {
	for _, common := range []int64{0, 2} {
		t.Run(fmt.Sprintf("%d common versions", common), func(t *testing.T) {
			hooked := &interruptedClock{clock: newClock()}
			w := serveWorld(t, initDir(t, "development"), hooked.clock, func(c *pki.Config) { c.Now = hooked.Now })
			conflicts := 0
			for moment := 1; moment <= 6; moment++ {
				if w.forkedReport(t, hooked, common, moment) == http.StatusConflict {
					conflicts++
				}
			}
			if conflicts == 0 {
				t.Error("no report was told that another was faster")
			}
		})
	}
}

// forkedReport reports the end of one log, and meanwhile that of another which
// has common versions with it. It returns the status of the former.
func (w *world) forkedReport(t *testing.T, hooked *interruptedClock, common int64, moment int) int {
	t.Helper()
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: fmt.Sprintf("r%d", moment)})
	bundle, err := identity.NewBundle(m.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	now := w.clock.Now()
	one, two := newLogbook(t, m), newLogbook(t, m)
	for v := range common + 2 {
		one.grow(t, bundle, now)
		if v < common {
			two.grow(t, bundle, now)
		} else {
			two.grow(t, bundle, now.Add(time.Second))
		}
	}
	first, second := w.caller(t, "development", m.tls()), w.caller(t, "development", m.tls())
	for _, c := range []*caller{first, second} { // both are connected
		c.do(t, "POST", "/v1/heads", map[string]any{})
	}
	if common != 0 {
		first.do(t, "POST", "/v1/heads", one.report(t, common, 0, now))
	}
	body, other := one.report(t, common+2, common, now), two.report(t, common+1, common, now)
	var rival reply
	hooked.arm(moment, func() {
		var err error
		if rival, err = second.try(t.Context(), "POST", "/v1/heads", other); err != nil {
			t.Error(err)
		}
	})
	got := first.do(t, "POST", "/v1/heads", body)
	if got.status == http.StatusOK && rival.status == http.StatusOK {
		t.Errorf("at moment %d both were taken: %s and %s", moment, got.body, rival.body)
	}
	if got.status == http.StatusConflict {
		var mark struct{ Version int64 }
		if err := json.Unmarshal(got.body, &mark); err != nil || mark.Version != common+1 {
			t.Errorf("at moment %d told %s, want version %d: %v", moment, got.body, common+1, err)
		}
	}
	return got.status
}
