package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry"
)

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Responses that nobody reads on, of as many versions, must not each keep a
// copy of the same body alive.
func TestStalledResponsesShareTheirBody(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		t.Run(encoding, func(t *testing.T) {
			w := newWorld(t, "production", frozen())
			l := newPipeListener()
			servePipeOn(t, w, l, w.now)
			for i := range 150 {
				registerDirectly(t, w, w.ca.ID("billing", fmt.Sprintf("node-%d", i)), func(r *identity.Record) {
					r.Metadata["pad"] = strings.Repeat("x", 1000)
				})
			}
			cred := w.ca.Issue(w.ca.ID("client", "slow"))
			ask := func() *http.Response {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry/v1/services/billing", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept-Encoding", encoding)
				res, err := over(t, w, l.dial(), cred).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = res.Body.Close() })
				return res
			}
			first := ask()
			size := first.ContentLength
			if _, err := io.Copy(io.Discard, first.Body); err != nil {
				t.Fatal(err)
			}
			const stalled = 40
			before := heap()
			held := make([]*http.Response, stalled)
			for i := range held {
				registerDirectly(t, w, w.ca.ID("search", fmt.Sprintf("node-%d", i)))
				held[i] = ask()
			}
			grown := heap() - before
			if most := stalled * size / 2; grown > most {
				t.Errorf("%d responses of %d bytes keep %d bytes alive, want at most %d", stalled, size, grown, most)
			}
			t.Logf("%d responses of %d bytes keep %d bytes alive", stalled, size, grown)
			runtime.KeepAlive(held)
		})
	}
}

var _ = registry.New
