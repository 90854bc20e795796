package pki_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// pipeWorld serves an authority in memory, in the time of a bubble.
func pipeWorld(t *testing.T, change func(*pki.Config)) (*world, *testpipe.Listener) {
	t.Helper()
	l := testpipe.Listen()
	return pipeWorldOn(t, l, change), l
}

// pipeWorldOn is [pipeWorld] on a listener of connections in memory.
func pipeWorldOn(t *testing.T, l net.Listener, change func(*pki.Config)) *world {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL}); err != nil {
		t.Fatal(err)
	}
	return serveOn(t, dir, newClock(), l, func(c *pki.Config) {
		c.Now = time.Now
		change(c)
	})
}

// without is a client without certificate that has one connection.
func without(t *testing.T, c *testpipe.Conn) *http.Client {
	t.Helper()
	client := on(t, c, member{})
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{}
	return client
}

// What a caller without certificate has sent of a body stays in memory for 5 s
// at most, whatever it is for. A member is known and has more time.
func TestBodiesOfStrangersHaveFiveSeconds(t *testing.T) {
	const most, closing = 5 * time.Second, time.Second
	for name, tt := range map[string]struct {
		path   string
		length int64
	}{
		"an enrolment":              {"/v1/enroll", 60_000},
		"one of unknown length":     {"/v1/enroll", -1},
		"a renewal":                 {"/v1/renew", 60_000},
		"where nothing reads it":    {"/v1/bundle", 60_000},
		"what is too large":         {"/v1/enroll", 1 << 30},
		"what no route waits for":   {"/v1/nothing", 60_000},
		"where it shows no one":     {"/v1/heads", 60_000},
		"in a form nobody sends it": {"/1.0/root/x", -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, l := pipeWorld(t, func(*pki.Config) {})
				conn, began := l.Dial(), time.Now()
				go func() { _, _ = ask(t, without(t, conn), "POST", tt.path, trickle(), tt.length) }()
				if took := (<-conn.Ended()).Sub(began); took > most+closing {
					t.Errorf("the connection ended after %s", took)
				}
				time.Sleep(2 * time.Second) // the caller notices
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, l := pipeWorld(t, func(*pki.Config) {})
		slow := testpipe.Trickle(10)
		status, err := ask(t, on(t, l.Dial(), w.enrollOffline(t, "registry", "r1")), "POST", "/v1/heads", &slow, 10)
		if err != nil || status != http.StatusBadRequest {
			t.Errorf("a member that sends for 10 s: %d %v, want to be read to the end", status, err)
		}
		time.Sleep(10 * time.Second)
	})
}

// The time is that of the body: who has sent it may wait for others longer.
func TestEnrolmentsThatWaitForOthers(t *testing.T) {
	const nodes = 2
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		w, l := pipeWorld(t, func(c *pki.Config) {
			*c = pki.WithHook(*c, func(m database.Moment) error {
				if m == database.BeforeCommit && slow.Load() {
					time.Sleep(2 * time.Second) // two for each node, one after another
				}
				return nil
			})
		})
		var clients []*http.Client
		for range nodes {
			clients = append(clients, without(t, l.Dial())) // it serves, and has its own certificate
		}
		slow.Store(true)
		var enrolling sync.WaitGroup
		began := time.Now()
		for i, c := range clients {
			text, err := json.Marshal(enrolment{
				Token: w.token(t, pki.TokenRequest{Service: "billing", Node: fmt.Sprintf("n%d", i)}).Token, CSR: plainCSR(t),
			})
			if err != nil {
				t.Fatal(err)
			}
			enrolling.Go(func() {
				if status, err := ask(t, c, "POST", "/v1/enroll", bytes.NewReader(text), int64(len(text))); err != nil || status != http.StatusCreated {
					t.Errorf("got %d %v, want a certificate\n%s", status, err, w.log)
				}
			})
		}
		enrolling.Wait()
		if took := time.Since(began); took < nodes*4*time.Second {
			t.Errorf("all were there after %s, so that nobody has waited", took)
		}
		time.Sleep(10 * time.Second)
	})
}
