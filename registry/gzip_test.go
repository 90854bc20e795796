package registry_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
	"time"
)

// document gets a document, gzipped on the way or not, decoded.
func (n *node) document(path string, gzipped bool) []byte {
	n.t.Helper()
	req := n.request(http.MethodGet, path, nil)
	if gzipped {
		req.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	}
	r := want(n.t, n.do(req), http.StatusOK)
	if gzipped != (r.header.Get("Content-Encoding") == "gzip") {
		n.t.Fatalf("%s came with encoding %q", path, r.header.Get("Content-Encoding"))
	}
	if !gzipped {
		return r.body
	}
	return gunzip(n.t, r.body)
}

// gunzip decodes exactly one gzip member, so that readers which know no more
// than one are served too.
func gunzip(t *testing.T, member []byte) []byte {
	t.Helper()
	in := bytes.NewReader(member)
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() != 0 {
		t.Errorf("%d bytes follow the gzip member", in.Len())
	}
	return out
}

func TestGzipIsTheSameAnswer(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	for _, label := range []string{"db-1", "db-2", "db-3"} {
		newNode(t, w, s, "databaseservice", label).register(1)
	}
	reader := newNode(t, w, s, "client", "laptop")
	for range 2 { // made, then from the cache
		v, err := reader.opener.Answer(reader.document("/v1/services/databaseservice", true), reader.ask("databaseservice"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := names(v), "db-1 db-2 db-3"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	req := reader.request(http.MethodGet, "/v1/services/databaseservice", nil)
	req.Header.Set("Accept-Encoding", "gzip;q=0")
	if got := reader.do(req).header.Get("Content-Encoding"); got != "" {
		t.Errorf("a caller who refuses gzip got %q", got)
	}
}

// Of absent services there is no end: to compress what is said of them would
// cost a compressor for each request.
func TestShortAnswersAreNotCompressed(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	n := newNode(t, w, serve(t, nil, w), "client", "laptop")
	for _, path := range []string{"/v1/services/nothing", "/v1/services/nothing?known=", "/v1/services"} {
		req := n.request(http.MethodGet, path, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		r := want(t, n.do(req), http.StatusOK)
		if got := r.header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s: %d bytes came with encoding %q", path, len(r.body), got)
		}
	}
}
