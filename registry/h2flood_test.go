package registry_test

import (
	"bytes"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/neurons-me/netget/registry"
)

// A flood is what a caller sends over HTTP/2 who means harm.
type flood struct {
	send func(h *h2conn, i int) error // the i-th message
	ends bool                         // the connection must end for it, not only be bounded
	read bool                         // the caller reads what it gets
}

// floods are known ones. Their messages are small and many, so that what a server
// keeps of each would soon show.
func floods() map[string]flood {
	return map[string]flood{
		"streams that are reset at once (CVE-2023-44487)": {send: func(h *h2conn, _ int) error {
			if err := h.request(http.MethodGet, "/v1/head", false); err != nil {
				return err
			}
			return h.WriteRSTStream(h.stream, http2.ErrCodeCancel)
		}, read: true},
		"streams beyond the limit": {send: func(h *h2conn, _ int) error {
			return h.request(http.MethodPost, "/v1/heartbeats", true, "content-type", "application/json")
		}},
		"pings whose answers nobody reads (CVE-2019-9512)": {send: func(h *h2conn, _ int) error {
			return h.WritePing(false, [8]byte{})
		}},
		"settings whose answers nobody reads (CVE-2019-9515)": {send: func(h *h2conn, _ int) error {
			return h.WriteSettings()
		}},
		"headers without end (CVE-2023-45288)": {send: func(h *h2conn, i int) error {
			if i == 0 {
				block := h.encode(":method", "GET", ":scheme", "https", ":authority", h.host, ":path", "/v1/head")
				return h.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true})
			}
			return h.WriteContinuation(1, false, h.encode("x-more", string(make([]byte, 8<<10))))
		}, ends: true, read: true},
		"windows that overflow": {send: func(h *h2conn, _ int) error {
			return h.WriteWindowUpdate(0, 1<<31-1)
		}, ends: true, read: true},
		"priorities": {send: func(h *h2conn, i int) error {
			return h.WritePriority(uint32(2*i+1), http2.PriorityParam{StreamDep: uint32(2*i + 3), Weight: 1})
		}, read: true},
		"data of nothing (CVE-2019-9518)": {send: func(h *h2conn, i int) error {
			if i == 0 {
				return h.request(http.MethodPost, "/v1/records", true, "content-type", "application/jose")
			}
			return h.WriteData(1, false, nil)
		}, read: true},
		"data on a stream that was never opened": {send: func(h *h2conn, _ int) error {
			return h.WriteData(9, false, []byte("x"))
		}, ends: true, read: true},
		"a frame that is too large": {send: func(h *h2conn, _ int) error {
			return h.WriteRawFrame(http2.FrameType(200), 0, 0, make([]byte, 17<<10))
		}, ends: true, read: true},
	}
}

func TestHTTP2FloodsEndOrAreBounded(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, func(c *registry.Config) { c.ReadRate, c.ReadBurst = 20, 1000 }, w)
	other := newNode(t, w, s, "client", "other")
	want(t, other.get("/v1/head"), http.StatusOK)
	connections, before := serving(), heap()
	var open []*h2conn
	for range floods() {
		raw, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Each is somebody else: what one identity sends too fast is read at 256 KiB a
		// second, on all of its connections together.
		open = append(open, dialH2(t, w, raw, w.ca.Issue(w.ca.ID("client", "flood-"+strconv.Itoa(len(open))))))
	}
	t.Run("of", func(t *testing.T) {
		nth := 0
		for name, row := range floods() {
			h := open[nth]
			nth++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				row.run(t, h)
				want(t, other.get("/v1/head"), http.StatusOK)
			})
		}
	})
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d connections hold %d bytes", len(open), grown)
	}
	for _, h := range open {
		_ = h.raw.Close()
	}
	other.http.CloseIdleConnections() // it had to open more than one
	// What is on its way is still read, at that pace: 20,000 messages in some 5 s.
	waitFor(t, "no goroutine serves a connection that has ended", func() bool { return serving() <= connections })
}

// serving counts the goroutines of servers; whatever else goes on in the process
// does not count.
func serving() (n int) {
	stacks := make([]byte, 8<<20)
	for one := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		if slices.ContainsFunc([]string{"net/http.(*conn).serve", "net/http.(*http2serverConn)", "netget/registry."}, func(of string) bool {
			return bytes.Contains(one, []byte(of))
		}) {
			n++
		}
	}
	return n
}

// run sends the flood, and waits for the end of the connection if it must come.
func (f flood) run(t *testing.T, h *h2conn) {
	t.Helper()
	const messages = 20_000
	ended := make(chan struct{})
	listen := func() {
		h.drain()
		close(ended)
	}
	if f.read {
		go listen()
	}
	var err error
	sent := 0
	for ; err == nil && sent < messages; sent++ {
		err = f.send(h, sent)
	}
	if !f.read {
		go listen()
	}
	if !f.ends {
		return
	}
	select {
	case <-ended:
	case <-time.After(time.Minute): // who only idles has two
		t.Errorf("the connection lives after %d messages", sent)
	}
}

// One connection has 64 requests under way; the next is told to wait.
func TestHTTP2StreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l, _ := pipeWorld(t)
		h := dialH2(t, w, l.dial(), w.ca.Issue(w.ca.ID("client", "laptop")))
		answers := make(chan string, 1)
		go func() { answers <- h.status(2*65 - 1) }() // of the last
		for range 65 {
			if err := h.request(http.MethodGet, "/v1/head?from=7", false); err != nil { // waits for 2 s
				t.Fatal(err)
			}
		}
		asked := time.Now()
		if got := <-answers; got != http2.ErrCodeRefusedStream.String() || time.Since(asked) != 0 {
			t.Errorf("the 65th request got %s after %s, want a refused stream at once", got, time.Since(asked))
		}
		go h.drain()
		if err := h.request(http.MethodGet, "/v1/head", false); err != nil {
			t.Fatal(err)
		}
		_ = h.raw.Close()
	})
}

// A header that is named once and repeated by a byte each time (CVE-2016-6581).
func TestHTTP2HeaderListIsBounded(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	raw, err := s.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := dialH2(t, w, raw, w.ca.Issue(w.ca.ID("client", "laptop")))
	var many []string
	for range 5000 {
		many = append(many, "x-bomb", "0123456789012345678901234567890123456789")
	}
	if err := h.request(http.MethodGet, "/v1/head", false, many...); err != nil {
		t.Fatal(err)
	}
	if got := h.status(h.stream); got != "431" {
		t.Errorf("200 KB of headers in %d bytes got %s, want 431", h.block.Len(), got)
	}
}
