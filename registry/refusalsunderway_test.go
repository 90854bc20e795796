package registry_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/registry"
)

// Who asks too much on more than a few connections and reads nothing keeps no more
// refusals waiting than it may have requests; the others are refused without a
// body, for which HTTP/2 needs no window.
func TestRefusalsThatNobodyReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conns, few, streams, mayWait = 8, 4, 64, 64
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		servePipe(t, w, l, func(c *registry.Config) { c.ReadRate, c.ReadBurst = 1, 1 })
		cred := w.ca.Issue(w.ca.ID("client", "greedy"))
		var ended, refused int
		for range conns {
			h := dialH2(t, w, l.dial(), cred, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			answers := make(chan *http2.MetaHeadersFrame, streams)
			go func() {
				defer close(answers)
				for {
					f, err := h.ReadFrame()
					if err != nil {
						return
					}
					if headers, ok := f.(*http2.MetaHeadersFrame); ok {
						answers <- headers
					}
				}
			}()
			for range streams {
				if err := h.request(http.MethodGet, "/v1/head", false); err != nil {
					t.Fatal(err)
				}
			}
			for range streams {
				headers, ok := <-answers
				if !ok {
					t.Fatal("the connection has ended")
				}
				if headers.PseudoValue("status") == "429" {
					refused++
				}
				if headers.StreamEnded() {
					ended++
				}
			}
		}
		wantRefused, wantEnded := conns*streams-1, (conns-few)*streams-mayWait
		if refused != wantRefused || ended != wantEnded {
			t.Errorf("%d refused, %d of them without a body; want %d and %d", refused, ended, wantRefused, wantEnded)
		}
	})
}
