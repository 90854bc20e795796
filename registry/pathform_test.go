package registry_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testpath"
	"github.com/neurons-me/netget/registry"
)

// A decision is what a caller learns of how a request was decided.
type decision struct {
	status int
	code   identity.Code
	kind   string // of the body
}

// nothing reports whether a request was decided as one that means nothing.
func (d decision) nothing() bool {
	return d.status == http.StatusBadRequest || d.status == http.StatusNotFound || d.status == http.StatusMethodNotAllowed
}

func decided(t *testing.T, got reply) decision {
	t.Helper()
	d := decision{got.status, "", got.header.Get("Content-Type")}
	if d.kind == "application/problem+json" {
		d.code = got.problem(t).Code
	}
	return d
}

// A wire is a caller who writes requests byte by byte, on one connection for as
// long as the server lets it.
type wire struct {
	t      *testing.T
	addr   string
	shown  *tls.Certificate
	conn   net.Conn // nil: there is none
	reader *bufio.Reader
}

// dial makes a connection where there is none.
func (w *wire) dial() {
	w.t.Helper()
	if w.conn != nil {
		return
	}
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName: "registry.production.netget.internal", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{*w.shown},
	}}
	conn, err := dialer.DialContext(w.t.Context(), "tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	w.conn, w.reader = conn, bufio.NewReader(conn)
}

// decide sends a request target as it stands.
func (w *wire) decide(method, target, mediaType string, body []byte) decision {
	w.t.Helper()
	w.dial()
	_, err := fmt.Fprintf(w.conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", method, target, mediaType, len(body), body)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(w.reader, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal(err)
	}
	got := decided(w.t, read(w.t, res))
	if res.Close {
		_ = w.conn.Close()
		w.conn = nil
	}
	return got
}

// Whoever is refused something is refused it in every form, and nobody gets
// more by one.
func TestFormsOfAPathDecideAlike(t *testing.T) {
	f := newForum(t)
	before := f.catalog.Snapshot().Head()
	for _, r := range matrix() {
		method, _, _ := strings.Cut(r.route, " ")
		for i, caller := range callers() {
			if want := r.outcomes[i]; want.status == 0 || want.status == http.StatusCreated || r.sent == "a tombstone for the node" {
				continue // not let in at all, or changing what the others find
			}
			t.Run(r.route+" "+r.sent+" by "+caller, func(t *testing.T) {
				target, mediaType, body := f.message(caller, r)
				path, query, _ := strings.Cut(target, "?")
				if query != "" {
					query = "?" + query
				}
				w := &wire{t: t, addr: f.served.addr, shown: f.certificate(caller)}
				normal := w.decide(method, target, mediaType, body)
				if normal.status != r.outcomes[i].status || normal.code != r.outcomes[i].code {
					t.Fatalf("the normal form got %v", normal)
				}
				for form, target := range testpath.Forms(path) {
					if strings.Contains(target, "?") && query != "" {
						continue // it asks for something else
					}
					if !strings.Contains(target, "?") {
						target += query
					}
					registry.ForgetBudgets(f.served.Server)
					if got := w.decide(method, target, mediaType, body); got != normal && !got.nothing() {
						t.Errorf("%s (%s): got %v, the normal form %v", form, target, got, normal)
					}
				}
			})
		}
	}
	if after := f.catalog.Snapshot().Head(); after.Version != before.Version {
		t.Errorf("version %d became %d", before.Version, after.Version)
	}
}

// HTTP/2 hands a path on in a member of its own.
func TestFormsOfAPathDecideAlikeInHTTP2(t *testing.T) {
	f := newForum(t)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: identity.ClientTLS(f.ca.Source(f.ca.ID("client", "laptop")), f.now)}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for _, r := range matrix() {
		method, _, _ := strings.Cut(r.route, " ")
		target, mediaType, body := f.message("client", r)
		decide := func(target string) decision {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, "https://"+f.served.addr, strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			req.URL = &url.URL{Scheme: "https", Host: f.served.addr, Opaque: target}
			req.Header.Set("Content-Type", mediaType)
			registry.ForgetBudgets(f.served.Server)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.ProtoMajor != 2 {
				t.Fatalf("it went by %s", res.Proto)
			}
			return decided(t, read(t, res))
		}
		normal := decide(target)
		path, _, _ := strings.Cut(target, "?")
		for form, target := range testpath.Forms(path) {
			if _, err := url.ParseRequestURI(target); err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
				continue // the stream ends with such a path, or the client does not send it
			}
			if got := decide(target); got != normal && !got.nothing() {
				t.Errorf("%s %s, %s (%s): got %v, the normal form %v", r.route, r.sent, form, target, got, normal)
			}
		}
	}
}

// What a request costs is decided by the same form of its path as what it does:
// whoever has no reads left still posts in every form that posts, and whoever
// has no posts left does so in none.
func TestFormsOfAPathCostAlike(t *testing.T) {
	f := newForum(t, func(c *registry.Config) { c.ReadRate, c.ReadBurst = 1e-9, 1 })
	nth := 0
	caller := func() *wire { // somebody new, with all budgets
		nth++
		cred := f.ca.Issue(f.ca.ID("web", fmt.Sprintf("web-%d", nth)))
		return &wire{t: t, addr: f.served.addr, shown: cred.TLS()}
	}
	post := func(w *wire, target string) decision {
		return w.decide(http.MethodPost, target, "application/jose", []byte("a.b.c"))
	}
	normal := post(caller(), "/v1/records")
	if normal != (decision{http.StatusBadRequest, identity.Malformed, "application/problem+json"}) {
		t.Fatalf("the normal form got %v", normal)
	}
	routed := 0
	for form, target := range testpath.Forms("/v1/records") {
		free := post(caller(), target)
		noReads := caller()
		noReads.decide(http.MethodGet, "/v1/head", "", nil)
		noPosts := caller()
		for range 10 {
			post(noPosts, "/v1/records")
		}
		posts := post(noReads, target).status != http.StatusTooManyRequests
		reads := post(noPosts, target).status != http.StatusTooManyRequests
		if free == normal && !posts {
			t.Errorf("%s (%s) posts, and costs a read", form, target)
		}
		if free == normal && reads {
			t.Errorf("%s (%s) posts at no cost", form, target)
		}
		if free.status == http.StatusNotFound && posts {
			t.Errorf("%s (%s) is nothing, and costs no read", form, target)
		}
		if free == normal {
			routed++
		}
	}
	if routed < 15 {
		t.Errorf("only %d forms post", routed)
	}
}
