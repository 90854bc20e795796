package pki_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testpath"
)

// A decision is what a caller learns of how a request was decided.
type decision struct {
	status int
	code   identity.Code
	kind   string // of the body
}

// fits reports whether a form of a path was decided as the normal form was, or
// as one that means nothing.
func (d decision) fits(normal, nothing decision) bool {
	switch d.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return d == normal || d == nothing
}

// nothing is a path that is no route.
const nothing = "/v1/nothing"

func decided(t *testing.T, res *http.Response) decision {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Code identity.Code }
	kind := res.Header.Get("Content-Type")
	if kind == "application/problem+json" {
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
	}
	return decision{res.StatusCode, p.Code, kind}
}

// A wire is a caller who writes requests byte by byte, on one connection for as
// long as the server lets it.
type wire struct {
	t      *testing.T
	addr   string
	shown  []tls.Certificate
	conn   net.Conn // nil: there is none
	reader *bufio.Reader
}

// decide sends a request target as it stands.
func (w *wire) decide(method, target string) decision {
	w.t.Helper()
	if w.conn == nil {
		dialer := tls.Dialer{Config: &tls.Config{
			ServerName: "ca." + td, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, Certificates: w.shown,
		}}
		conn, err := dialer.DialContext(w.t.Context(), "tcp", w.addr)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { conn.Close() })
		w.conn, w.reader = conn, bufio.NewReader(conn)
	}
	if _, err := fmt.Fprintf(w.conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", method, target); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	got := decided(w.t, res)
	if res.Close {
		w.conn.Close()
		w.conn = nil
	}
	return got
}

// Whoever is refused something is refused it in every form, and nobody gets
// more by one. The empty body makes the allowed posts malformed.
func TestFormsOfAPathDecideAlike(t *testing.T) {
	s := newStage(t)
	for route, row := range matrix() {
		method, path, _ := strings.Cut(strings.Replace(route, "{sha}", s.Networks()[0].RootSHA256, 1), " ")
		for i, caller := range callers() {
			switch {
			case row[i].status == 0: // not let in at all
				continue
			case caller == "over for long" || caller == "begins later" || caller == "other node": // like "over" and "node"
				continue
			}
			t.Run(route+" by "+caller, func(t *testing.T) {
				w := &wire{t: t, addr: s.addr, shown: s.shown[caller]}
				normal, none := w.decide(method, path), w.decide(method, nothing)
				if row[i].code != "" && normal.code != row[i].code {
					t.Fatalf("the normal form got %v, want %s", normal, row[i].code)
				}
				if normal.status == http.StatusNotFound {
					t.Fatal("the normal form is no route")
				}
				for form, target := range testpath.Forms(path) {
					if got := w.decide(method, target); !got.fits(normal, none) {
						t.Errorf("%s (%s): got %v, the normal form %v", form, target, got, normal)
					}
				}
			})
		}
	}
}
