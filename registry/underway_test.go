package registry_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// An identity has 64 requests under way in all, whatever the number of its
// connections, and also after its budget was forgotten; another pays nothing.
func TestRequestsUnderWayOfOneIdentityAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, each = 64, 16
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		s := servePipe(t, w, l)
		manyNodes(t, w, "billing")
		cred := w.ca.Issue(w.ca.ID("client", "many"))
		var stalled []*h2conn
		for range most / each {
			h := dialH2(t, w, l.dial(), cred, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			for range each {
				if err := h.request(http.MethodGet, "/v1/services/billing", false); err != nil {
					t.Fatal(err)
				}
				if got := h.status(h.stream); got != "200" {
					t.Fatalf("within the limit: %s", got)
				}
			}
			go h.drain()
			stalled = append(stalled, h)
		}
		registry.ForgetBudgets(s.Server)
		for range 2 { // what is refused is not under way
			r := get(t, "/v1/head", over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "many"))))
			refused(t, r, http.StatusTooManyRequests, identity.Busy)
			if got := r.header.Get("Retry-After"); got != "1" {
				t.Errorf("Retry-After is %q, want 1", got)
			}
		}
		want(t, get(t, "/v1/head", over(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "other")))), http.StatusOK)
		for _, h := range stalled {
			_ = h.raw.Close()
		}
		synctest.Wait()
		want(t, get(t, "/v1/head", over(t, w, l.dial(), cred)), http.StatusOK)
	})
}
