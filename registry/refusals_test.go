package registry_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestStatementsThatAreRefused(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	db, other := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "databaseservice", "db-2")
	good, _ := db.record(1)
	foreign, _ := other.record(1)
	flipped := []byte(good.Token())
	if at := len(flipped) - 10; flipped[at] != 'A' {
		flipped[at] = 'A'
	} else {
		flipped[at] = 'B'
	}
	rows := map[string]struct {
		mediaType string
		body      []byte
		status    int
		code      identity.Code
	}{
		"a body of 9,000 bytes":         {discovery.JWSType, bytes.Repeat([]byte("a"), 9000), http.StatusRequestEntityTooLarge, identity.Limits},
		"a body of 10 MB":               {discovery.JWSType, make([]byte, 10<<20), http.StatusRequestEntityTooLarge, identity.Limits},
		"an empty body":                 {discovery.JWSType, nil, http.StatusBadRequest, identity.Malformed},
		"another media type":            {"application/json", []byte(good.Token()), http.StatusBadRequest, identity.Malformed},
		"no media type":                 {"", []byte(good.Token()), http.StatusBadRequest, identity.Malformed},
		"a line end":                    {discovery.JWSType, []byte(good.Token() + "\n"), http.StatusBadRequest, identity.Malformed},
		"a wrong signature":             {discovery.JWSType, flipped, http.StatusUnauthorized, identity.BadSignature},
		"a statement of another node":   {discovery.JWSType, []byte(foreign.Token()), http.StatusForbidden, identity.Binding},
		"a head passed off as a record": {discovery.JWSType, []byte(w.catalog.Snapshot().HeadToken()), http.StatusBadRequest, identity.BadHeader},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			refused(t, db.post("/v1/records", row.mediaType, row.body), row.status, row.code)
		})
	}
	if got := w.catalog.Snapshot().Head(); got.Version != 1 || got.Records != 0 {
		t.Errorf("something refused left version %d with %d records", got.Version, got.Records)
	}
}

// beatBody encodes a heartbeat.
func beatBody(rid identity.Hash, k int64, token identity.Hash) string {
	return fmt.Sprintf(`{"rid":%q,"k":%d,"token":%q}`, rid, k, token)
}

func TestHeartbeatsThatAreRefused(t *testing.T) {
	rows := map[string]struct {
		body   func(rid, first, last identity.Hash) string
		status int
		code   identity.Code
	}{
		"another record":        {func(_, first, last identity.Hash) string { return beatBody(last, 1, first) }, http.StatusConflict, identity.Superseded},
		"a token of the future": {func(rid, _, last identity.Hash) string { return beatBody(rid, 1440, last) }, http.StatusBadRequest, identity.BadTime},
		"beyond the chain":      {func(rid, _, last identity.Hash) string { return beatBody(rid, 1441, last) }, http.StatusBadRequest, identity.Limits},
		"another slot":          {func(rid, first, _ identity.Hash) string { return beatBody(rid, 2, first) }, http.StatusUnauthorized, identity.BadSignature},
		"k zero":                {func(rid, first, _ identity.Hash) string { return beatBody(rid, 0, first) }, http.StatusBadRequest, identity.Limits},
		"no token":              {func(rid, _, _ identity.Hash) string { return fmt.Sprintf(`{"rid":%q,"k":1}`, rid) }, http.StatusBadRequest, identity.Malformed},
		"a member twice": {func(rid, first, _ identity.Hash) string {
			return fmt.Sprintf(`{"rid":%q,"k":1,"k":1,"token":%q}`, rid, first)
		}, http.StatusBadRequest, identity.Malformed},
		"trailing data": {func(rid, first, _ identity.Hash) string { return beatBody(rid, 1, first) + "{}" }, http.StatusBadRequest, identity.Malformed},
		"no JSON":       {func(_, _, _ identity.Hash) string { return "k=1" }, http.StatusBadRequest, identity.Malformed},
		"70 KB":         {func(rid, first, _ identity.Hash) string { return beatBody(rid, 1, first) + strings.Repeat(" ", 70_000) }, http.StatusRequestEntityTooLarge, identity.Limits},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "production", time.Now)
			n := newNode(t, w, serve(t, nil, w), "databaseservice", "db-1")
			record, chain := n.register(1)
			first, _ := chain.Token(1)
			last, _ := chain.Token(1440)
			refused(t, n.post("/v1/heartbeats", "application/json", []byte(row.body(record.RID(), first, last))), row.status, row.code)
			if v := n.view("databaseservice"); v.Nodes[0].Beat.K != 0 {
				t.Error("a refused heartbeat counts")
			}
		})
	}
}

func TestHeartbeatsCountForTheirConnection(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	db, client := newNode(t, w, s, "databaseservice", "db-1"), newNode(t, w, s, "client", "laptop")
	record, chain := db.register(1)
	first, _ := chain.Token(1)
	body := []byte(beatBody(record.RID(), 1, first))
	refused(t, client.post("/v1/heartbeats", "application/json", body), http.StatusNotFound, identity.NotFound)
	if v := client.view("databaseservice"); v.Nodes[0].Beat.K != 0 {
		t.Error("another node's connection made a heartbeat count")
	}
	want(t, db.post("/v1/heartbeats", "application/json", body), http.StatusOK)
}

func TestPathsAndMethods(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	n := newNode(t, w, s, "databaseservice", "db-1")
	n.register(1)
	for _, path := range []string{
		"/v1//services", "//v1/services", "/v1/services/", "/v1/./services", "/v1/%2e/services",
		"/v1/%2e%2e/v1/services", "/v1/x/%2e%2e/services", "/v1%2fservices",
	} {
		if r := n.get(path); r.status != http.StatusOK {
			t.Errorf("%s, whose normal form is a route: got %d", path, r.status)
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/%2e%2e/", "/v2/services", "/v1/watch", "/v1/journal", "/v1/services/a/b/c", "/metrics", "/V1/services", "/v1/records/"} {
		if path == "/v1/records/" {
			continue // a route, of another method
		}
		refused(t, n.get(path), http.StatusNotFound, identity.NotFound)
	}
	for path, allowed := range map[string]string{"/v1/records": "POST", "/v1/heartbeats/": "POST", "/v1/services": "GET", "/v1/services/x": "GET"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if method == allowed {
				continue
			}
			r := want(t, n.do(n.request(method, path, nil)), http.StatusMethodNotAllowed)
			if !strings.Contains(r.header.Get("Allow"), allowed) {
				t.Errorf("%s %s: Allow is %q", method, path, r.header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/v1/services/..", "/v1/services/..%2fx", "/v1/services/databaseservice/..%2f..%2fx"} {
		refused(t, n.get(path), http.StatusNotFound, identity.NotFound)
	}
	for _, name := range []string{"a\x00b", "a\nb", `a"b`, "*", "db.", "Databaseservice", "dätabase", strings.Repeat("a", 300), "$1", "$$", "';--", "a b", "-a"} {
		for _, path := range []string{"/v1/services/" + url.PathEscape(name), "/v1/services/databaseservice/" + url.PathEscape(name)} {
			if p := n.get(path).problem(t); p.Code != identity.Malformed {
				t.Errorf("%q: got %d %s", path, p.Status, p.Code)
			}
		}
	}
}

func TestIdentityBearingHeadersAreIgnored(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	n := newNode(t, w, s, "databaseservice", "db-1")
	foreign, _ := newNode(t, w, s, "databaseservice", "db-2").record(1)
	req := n.request(http.MethodPost, "/v1/records", []byte(foreign.Token()))
	req.Header.Set("Content-Type", discovery.JWSType)
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Netget-Identity", "X-Forwarded-Client-Cert", "X-Spiffe-Id"} {
		req.Header.Set(name, w.ca.ID("databaseservice", "db-2").String())
	}
	refused(t, n.do(req), http.StatusForbidden, identity.Binding)
	if r := n.get("/v1/head"); r.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("Cache-Control is %q", r.header.Get("Cache-Control"))
	}
}

// raw sends bytes over TLS as a node and returns the status of the first
// response.
func raw(t *testing.T, w *world, s *served, maxVersion uint16, send func(io.Writer)) (status int, err error) {
	t.Helper()
	conf := &tls.Config{
		ServerName: w.ca.TD.RegistryName(), InsecureSkipVerify: true, MaxVersion: maxVersion, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{*w.ca.Issue(w.ca.ID("client", "laptop")).TLS()},
	}
	c, err := (&tls.Dialer{Config: conf}).DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	go send(c)
	return statusOf(c)
}

// statusOf reads the status of a response and leaves the rest.
func statusOf(c io.Reader) (int, error) {
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func TestMessagesThatAreNoHTTP(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	rows := map[string]struct {
		send   string
		status int
	}{
		"1 MB of headers":       {"GET /v1/head HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"17 KB of headers":      {"GET /v1/head HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"100,000 headers":       {"GET /v1/head HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: a\r\n", 100_000) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"length and chunks":     {"GET /v1/head HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na.b\r\n0\r\n\r\n", http.StatusBadRequest},
		"two lengths":           {"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\na.b", http.StatusBadRequest},
		"10 MB without length":  {"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nTransfer-Encoding: chunked\r\n\r\na00000\r\n" + strings.Repeat("a", 10<<20), http.StatusRequestEntityTooLarge},
		"no host":               {"GET /v1/head HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		"another host by a URL": {"GET https://registry.staging.netget.internal/v1/head HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusOK},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			status, err := raw(t, w, s, tls.VersionTLS13, func(c io.Writer) { _, _ = io.WriteString(c, row.send) })
			if err != nil || status != row.status {
				t.Errorf("got status %d, %v, want %d", status, err, row.status)
			}
		})
	}
}

func TestOtherProtocolsAreRefused(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	if status, err := raw(t, w, s, tls.VersionTLS12, func(io.Writer) {}); err == nil {
		t.Errorf("TLS 1.2 got status %d", status)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/head HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if status, err := statusOf(c); err == nil && status != http.StatusBadRequest {
		t.Errorf("plain HTTP got status %d", status)
	}
}
