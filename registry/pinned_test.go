package registry_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/neurons-me/netget/identity"
)

// heap returns the bytes that are in use. What a [sync.Pool] keeps lives until the
// second collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// padding makes a record about as large as it may be, and of what does not
// compress well.
func padding(r *identity.Record) {
	for _, name := range []string{"a", "b", "c"} {
		text := make([]byte, 500)
		_, _ = rand.Read(text) // never fails
		r.Metadata[name] = hex.EncodeToString(text)
	}
}

// Responses that nobody reads on, of as many versions, must not each keep a
// copy of the same body alive.
func TestStalledResponsesShareTheirBody(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		t.Run(encoding, func(t *testing.T) {
			w := newWorld(t, "production", frozen())
			l := newPipeListener()
			servePipe(t, w, l)
			for i := range 300 {
				registerDirectly(t, w, w.ca.ID("billing", fmt.Sprintf("node-%d", i)), padding)
			}
			cred := w.ca.Issue(w.ca.ID("client", "slow"))
			ask := func() (length int64, body io.Reader) {
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
				return res.ContentLength, res.Body
			}
			size, first := ask()
			if _, err := io.Copy(io.Discard, first); err != nil {
				t.Fatal(err)
			}
			const stalled = 40
			before := heap()
			held := make([]io.Reader, stalled)
			for i := range held {
				registerDirectly(t, w, w.ca.ID("search", fmt.Sprintf("node-%d", i)))
				_, held[i] = ask()
			}
			grown := heap() - before
			if most := stalled * size / 2; grown > most {
				t.Errorf("%d responses of %d bytes keep %d bytes alive, want at most %d", stalled, size, grown, most)
			}
			runtime.KeepAlive(held)
		})
	}
}
