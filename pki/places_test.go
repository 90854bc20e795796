package pki_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// manySites lets each connection of a listener come from its own site.
func manySites(l net.Listener) net.Listener {
	return &claimingListener{Listener: l, claim: func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i) }}
}

// However many connections come and say nothing, or keep what they have had an
// answer on, the next caller gets its answer at once.
func TestConnectionsWithoutAQuestionKeepNobodyOut(t *testing.T) {
	const most = 8
	w := serveOn(t, initDir(t, "development"), newClock(), manySites(listen(t)), func(c *pki.Config) {
		c.Connections = connlimit.Limits{Most: most}
	})
	for range 2 * most {
		w.silent(t)
	}
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	for range 2 * most { // of one member, each on its own connection that stays
		if got := w.caller(t, "development", m.tls()).do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
			t.Fatalf("a member: %d %s", got.status, got.body)
		}
	}
	if got := w.caller(t, "development").do(t, "GET", "/v1/bundle", nil); got.status != http.StatusOK {
		t.Errorf("a stranger: %d %s", got.status, got.body)
	}
}

// Who is being answered is not sent away for those who come.
func TestRequestsUnderWayMakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 8
		l := testpipe.Listen()
		dir := filepath.Join(t.TempDir(), "ca")
		if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err != nil {
			t.Fatal(err)
		}
		w := serveOn(t, dir, newClock(), l, func(c *pki.Config) {
			c.Now = time.Now
			c.Connections = connlimit.Limits{Most: most, PerAddress: 10 * most}
		})
		m := w.enrollOffline(t, "registry", "r1")
		body, feed := io.Pipe()
		got := make(chan int, 1)
		go func() {
			status, _ := ask(t, on(t, l.Dial(), m), "POST", "/v1/heads", body, 2) // 0 when its connection ended
			got <- status
		}()
		if _, err := feed.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 2 * most {
			l.Dial()
		}
		if _, err := feed.Write([]byte("}")); err != nil {
			t.Fatal(err)
		}
		_ = feed.Close()
		if status := <-got; status != http.StatusOK {
			t.Errorf("the request under way got %d, want 200", status)
		}
	})
}
