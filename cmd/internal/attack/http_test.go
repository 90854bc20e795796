package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func attackHTTP(t *testing.T, g *group) {
	t.Helper()
	r := newTarget(t, nil, vectorSigned+1)
	before, stored := r.state(t), dumpOf(t, r.store())
	slow := r.slowHeaders(t)
	silent := r.silentConnections(t, 300)
	try := func(name string, want outcome, attack func(*testing.T) outcome) {
		t.Helper()
		g.try(t, name, want, func(t *testing.T) outcome {
			t.Helper()
			defer r.unchanged(t, &before)
			return attack(t)
		})
	}
	try("others are served beside 300 silent connections", "200", func(t *testing.T) outcome {
		t.Helper()
		return r.asReader(t).get(t, "/v1/services").outcome()
	})
	for _, row := range messages() {
		try(row.name, row.want, func(t *testing.T) outcome {
			t.Helper()
			return r.raw(t, row.text)
		})
	}
	try("plain HTTP to the TLS port", "400 in plain text, connection ended", r.plainHTTP)
	try("TLS 1.2", "no connection: protocol version not supported", r.oldTLS)
	try("no client certificate", "no connection: certificate required", r.noCertificate)
	try("the name of another network in TLS", "no connection: unrecognized name", r.otherName)
	try("headers that name somebody else", answered(403, identity.Binding), r.foreignHeaders)
	attackPaths(t, r, try)
	try("headers that take their time", "cut after 5 s", func(t *testing.T) outcome {
		t.Helper()
		return within(t, 5*time.Second, <-slow, "cut after 5 s")
	})
	try("300 silent connections", "all closed within 6 s", func(t *testing.T) outcome {
		t.Helper()
		return within(t, 0, <-silent, "all closed within 6 s")
	})
	r.process.stop(t)
	unchangedStore(t, &stored, r.store())
}

// within returns words if a time is as it must be. How much longer it takes than
// they say is the machine's matter, unless it is as long as we wait.
func within(t *testing.T, least, took time.Duration, words outcome) outcome {
	t.Helper()
	if took < least || took >= patience {
		return outcome(fmt.Sprintf("ended after %s", took))
	}
	return words
}

// asReader returns a client of the network.
func (r *target) asReader(t *testing.T) *caller {
	t.Helper()
	return r.newCaller(t, r.reader.Identity().Credential.TLS())
}

type message struct {
	name string
	text string
	want outcome
}

func messages() []message {
	const get = "GET /v1/head HTTP/1.1\r\nHost: x\r\n"
	const post = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
	return []message{
		{"1 MB of headers", get + "X: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", "431"},
		{"100,000 headers", get + strings.Repeat("X: a\r\n", 100_000) + "\r\n", "431"},
		{"17 KB of headers", get + "X: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", "431"},
		{"a body of 10 MB with its length", post + "Content-Length: 10485760\r\n\r\n" + strings.Repeat("a", 10<<20), answered(413, identity.Limits)},
		{"a body of 10 MB without length", post + "Transfer-Encoding: chunked\r\n\r\na00000\r\n" + strings.Repeat("a", 10<<20) + "\r\n0\r\n\r\n", answered(413, identity.Limits)},
		{"a length and chunks", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na.b\r\n0\r\n\r\n", answered(400, identity.Malformed)},
		{"a length and chunks, to read", get + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na.b\r\n0\r\n\r\n", answered(400, identity.Malformed)},
		{"two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\na.b", "400"},
		{"no host", "GET /v1/head HTTP/1.1\r\n\r\n", "400"},
		{"no HTTP", "\x16\x03\x01\x02\x00\r\n\r\n", "400"},
	}
}

// foreignHeaders posts the record of another node over a connection of db-2,
// whose headers say that it is db-1's.
func (r *target) foreignHeaders(t *testing.T) outcome {
	t.Helper()
	v := read[vectors.Record](t, vectors.RecordsFile)[0]
	cred := r.ca.Issue(r.ca.ID("databaseservice", "db-2"))
	c := r.dial(t, cred.Leaf().Raw, cred.Issuer().Raw)
	req := c.message(t, "/v1/records", jose, []byte(v.Token))
	for _, name := range []string{
		"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Netget-Identity", "X-Forwarded-Client-Cert", "X-Client-Cert", "X-Spiffe-Id", "X-Forwarded-Host",
	} {
		req.Header.Set(name, v.Want.Node.String())
	}
	return c.send(t, req).outcome()
}

// attackPaths asks in every way but the right one.
func attackPaths(t *testing.T, r *target, try func(string, outcome, func(*testing.T) outcome)) {
	t.Helper()
	ask := func(method, path string) func(*testing.T) outcome {
		return func(t *testing.T) outcome {
			t.Helper()
			got := r.asReader(t).send(t, r.neutral(t, method, path))
			if got.status == http.StatusMethodNotAllowed {
				return outcome("405, allowed: " + got.header.Get("Allow"))
			}
			return got.outcome()
		}
	}
	for _, path := range []string{
		"/v1//services", "//v1/services", "/v1/services/", "/v1/./services", "/v1/%2e/services", "/v1/%2e%2e/v1/services",
		"/v1/x/%2e%2e/services", "/v1%2fservices",
	} {
		try("the form "+path+" of a route", "200", ask(http.MethodGet, path))
	}
	for _, path := range []string{"/", "/v1", "/v1/%2e%2e/", "/v1//x", "/v2/services", "/V1/services", "/v1/services/a/b/c", "/metrics", "/v1/services/..%2fx"} {
		try("the unknown route "+path, answered(404, identity.NotFound), ask(http.MethodGet, path))
	}
	for path, allowed := range map[string]string{"/v1/records": "POST", "/v1/heartbeats": "POST", "/v1/services": "GET", "/v1/services/web": "GET", "/v1/head": "GET"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if method != allowed {
				try(method+" "+path, outcome("405, allowed: OPTIONS, "+allowed), ask(method, path))
			}
		}
	}
}

func httpFacts() map[string][]string {
	return map[string][]string{
		"1 MB of headers":               {"1 MB of headers"},
		"100,000 headers":               {"100,000 headers"},
		"10 MB with length":             {"a body of 10 MB with its length"},
		"10 MB without length":          {"a body of 10 MB without length"},
		"a length and chunks":           {"a length and chunks", "a length and chunks, to read"},
		"slow headers":                  {"headers that take their time"},
		"silent connections":            {"300 silent connections", "others are served beside 300 silent connections"},
		"plain HTTP":                    {"plain HTTP to the TLS port"},
		"TLS 1.2":                       {"TLS 1.2"},
		"no client certificate":         {"no client certificate"},
		"headers that name an identity": {"headers that name somebody else"},
		"other forms of a path":         {"the form /v1//services of a route", "the unknown route /v1/%2e%2e/", "the unknown route /v1//x"},
		"no such route":                 {"the unknown route /v2/services"},
		"another method":                {"GET /v1/records", "POST /v1/services"},
	}
}
