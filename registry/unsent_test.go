package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/registry"
)

// Of every version of a large service somebody stops reading the answer: the
// bytes that this keeps alive are bounded, and whoever reads is served.
func TestBytesKeptForStalledReadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, versions = 2 << 20, 40
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) { c.Metrics, c.UnsentBytes = metrics, most })
		manyNodes(t, w, "billing")
		slow, quick := w.ca.Issue(w.ca.ID("client", "slow")), w.ca.Issue(w.ca.ID("client", "quick"))
		var size int64
		for i := range versions {
			registerDirectly(t, w, w.ca.ID("billing", fmt.Sprintf("late-%d", i)), padding)
			res, err := ask(t, over(t, w, l.dial(), slow), "/v1/services/billing")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			size = res.ContentLength
			synctest.Wait()
			if got := unsent(t, metrics); got > most {
				t.Fatalf("%v bytes are kept after %d versions, want at most %d", got, i+1, most)
			}
		}
		if size*versions < 3*most {
			t.Fatalf("%d versions of %d bytes do not come near the limit", versions, size)
		}
		r := get(t, "/v1/services/billing", over(t, w, l.dial(), quick))
		if want(t, r, http.StatusOK); int64(len(r.body)) < size {
			t.Errorf("whoever reads got %d bytes", len(r.body))
		}
		if got := counted(t, metrics, "netget_registry_responses_cut_total"); got < versions/2 || got >= versions {
			t.Errorf("%v responses of %d were cut", got, versions)
		}
	})
}

// begin asks for a page and leaves its body to be read.
func begin(t *testing.T, c *http.Client, path string) io.Reader {
	t.Helper()
	res, err := ask(t, c, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res.Body
}

// Who lets many answers wait pays for them itself: another, whose answer is
// older and who reads slowly, gets all of it.
func TestNobodyIsCutForAnothersSlowReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, versions = 2 << 20, 12
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) { c.Metrics, c.UnsentBytes = metrics, most })
		manyNodes(t, w, "billing")
		manyNodes(t, w, "shop")
		greedy, modest := w.ca.Issue(w.ca.ID("client", "greedy")), w.ca.Issue(w.ca.ID("client", "modest"))
		body := begin(t, over(t, w, l.dial(), modest), "/v1/services/shop")
		done := make(chan error, 1)
		go func() {
			for some := make([]byte, 4<<10); ; time.Sleep(100 * time.Millisecond) { // 40 KiB a second
				if _, err := body.Read(some); err != nil {
					done <- err
					return
				}
			}
		}()
		for i := range versions {
			registerDirectly(t, w, w.ca.ID("billing", fmt.Sprintf("late-%d", i)), padding)
			begin(t, over(t, w, l.dial(), greedy), "/v1/services/billing")
		}
		synctest.Wait()
		if got := counted(t, metrics, "netget_registry_responses_cut_total"); got < versions/2 {
			t.Errorf("%v responses of %d were cut: the limit was not met", got, versions)
		}
		if err := <-done; !errors.Is(err, io.EOF) {
			t.Errorf("whoever keeps little was cut: %v", err)
		}
	})
}

// However many read the newest answer, it counts once.
func TestReadersOfOneAnswerShareItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) { c.Metrics, c.UnsentBytes = metrics, 1<<20 })
		manyNodes(t, w, "billing")
		cred := w.ca.Issue(w.ca.ID("client", "slow"))
		var held []io.ReadCloser
		var size int64
		for range 40 {
			res, err := ask(t, over(t, w, l.dial(), cred), "/v1/services/billing")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			held, size = append(held, res.Body), res.ContentLength
		}
		if got := counted(t, metrics, "netget_registry_responses_cut_total"); got != 0 {
			t.Errorf("%v responses were cut", got)
		}
		for _, body := range held {
			if n, err := io.Copy(io.Discard, body); err != nil || n != size {
				t.Errorf("%d of %d bytes, %v", n, size, err)
			}
		}
		synctest.Wait()
		if got := unsent(t, metrics); got != 0 {
			t.Errorf("%v bytes are kept when all have read", got)
		}
	})
}
