package registry_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/internal/testhttp"
)

// Messages at the edge of HTTP/1.1, each followed on its connection by a good
// request: what the statuses of all answers are. One answer means that the
// connection ended with it, so that nothing can hide behind the message.
func TestFormsOfHTTP1(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	const (
		get  = "GET /v1/head HTTP/1.1\r\nHost: x\r\n"
		post = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
	)
	nth := 0
	for name, row := range map[string]struct{ text, want string }{
		"a question":                              {get + "\r\n", "200 200"},
		"four questions at once":                  {strings.Repeat(get+"\r\n", 4), "200 200 200 200 200"},
		"a length with a transfer encoding":       {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"a transfer encoding with a length":       {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400"},
		"a transfer encoding":                     {post + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "400"},
		"a transfer encoding of a question":       {get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"a transfer encoding that is not chunked": {post + "Transfer-Encoding: gzip\r\n\r\n", "501"},
		"two transfer encodings":                  {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
		"a transfer encoding twice":               {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "501"},
		"a transfer encoding in disguise":         {post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		"chunks with bare line feeds":             {post + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", "400"},
		"a chunk of negative length":              {post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "400"},
		"a chunk of absurd length":                {post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n", "400"},
		"a trailer without end":                   {post + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("x: "+strings.Repeat("y", 1000)+"\r\n", 100), "400"},
		"two equal lengths":                       {post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "400 200"},
		"two lengths":                             {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		"a list of lengths":                       {post + "Content-Length: 1, 1\r\n\r\na", "400"},
		"a signed length":                         {post + "Content-Length: +1\r\n\r\na", "400"},
		"a negative length":                       {post + "Content-Length: -1\r\n\r\na", "400"},
		"a length in hexadecimal":                 {post + "Content-Length: 0x1\r\n\r\na", "400"},
		"an absurd length":                        {post + "Content-Length: 99999999999999999999\r\n\r\n", "400"},
		"a length of an exabyte":                  {post + "Content-Length: 1000000000000000000\r\n\r\n", "413"},
		"a compressed body":                       {post + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na", "400 200"},
		"a compressed question":                   {get + "Content-Encoding: deflate\r\n\r\n", "400 200"},
		"a folded header":                         {get + "X: a\r\n b\r\n\r\n", "200 200"},
		"a folded first header":                   {"GET /v1/head HTTP/1.1\r\n Host: x\r\n\r\n", "400"},
		"white space before the colon":            {get + "Content-Length : 1\r\n\r\n", "400"},
		"a header without a colon":                {get + "nonsense\r\n\r\n", "400"},
		"a header without a name":                 {get + ": x\r\n\r\n", "400"},
		"NUL in a header":                         {get + "X: a\x00b\r\n\r\n", "400"},
		"a bare carriage return in a header":      {get + "X: a\rb\r\n\r\n", "400"},
		"bare line feeds":                         {"GET /v1/head HTTP/1.1\nHost: x\n\n", "200 200"},
		"no host":                                 {"GET /v1/head HTTP/1.1\r\n\r\n", "400"},
		"two hosts":                               {get + "Host: y\r\n\r\n", "400"},
		"a host that is none":                     {"GET /v1/head HTTP/1.1\r\nHost: a b\r\n\r\n", "400"},
		"a whole URL":                             {"GET https://x/v1/head HTTP/1.1\r\nHost: x\r\n\r\n", "200 200"},
		"a whole URL of another scheme":           {"GET ftp://x/v1/head HTTP/1.1\r\nHost: x\r\n\r\n", "200 200"},
		"CONNECT":                                 {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "404 200"},
		"OPTIONS *":                               {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "404 200"},
		"GET *":                                   {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "404 200"},
		"TRACE":                                   {"TRACE /v1/head HTTP/1.1\r\nHost: x\r\n\r\n", "405 200"},
		"a method of 10 KB":                       {strings.Repeat("A", 10<<10) + " /v1/head HTTP/1.1\r\nHost: x\r\n\r\n", "405 200"},
		"a method that is none":                   {"G@T /v1/head HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"a path with a space":                     {"GET /v1/ head HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"a path of 20 KB":                         {"GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"HTTP/0.9":                                {"GET /v1/head\r\n", "400"},
		"HTTP/1.0":                                {"GET /v1/head HTTP/1.0\r\n\r\n", "200"},
		"HTTP/1.0 that is kept":                   {"GET /v1/head HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 200"},
		"HTTP/1.0 in chunks":                      {"POST /v1/records HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"HTTP/1.2":                                {"GET /v1/head HTTP/1.2\r\nHost: x\r\n\r\n", "200 200"},
		"HTTP/3.0":                                {"GET /v1/head HTTP/3.0\r\nHost: x\r\n\r\n", "505"},
		"the preface of HTTP/2":                   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "404"},
		"an upgrade to HTTP/2":                    {get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "200 200"},
		"an upgrade to a socket":                  {get + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200 200"},
		"an expectation of nothing":               {get + "Expect: 100-continue\r\n\r\n", "200 200"},
		"an expectation that is unknown":          {get + "Expect: tea\r\n\r\n", "417"},
		"empty lines before":                      {"\r\n\r\n" + get + "\r\n", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			nth++ // each has a budget of its own
			cred := w.ca.Issue(w.ca.ID("client", "c-"+strconv.Itoa(nth)))
			t.Parallel()
			raw, err := s.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := testhttp.Exchange(dialTLS(t, w, raw, cred), row.text+get+"Connection: close\r\n\r\n"); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// A caller who is told to go on sends a body that is still bounded.
func TestExpectedBodiesAreBounded(t *testing.T) {
	w := newWorld(t, "production", time.Now)
	s := serve(t, nil, w)
	for name, row := range map[string]struct{ head, body, want string }{
		"too large":  {"Content-Length: 100000\r\n", "", "413"},
		"no length":  {"Transfer-Encoding: chunked\r\n", strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 100) + "0\r\n\r\n", "100 413"},
		"as it says": {"Content-Length: 5\r\n", "a.b.c", "100 400"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := s.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c := dialTLS(t, w, raw, w.ca.Issue(w.ca.ID("databaseservice", "db-1")))
			text := "POST /v1/records HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/jose\r\nExpect: 100-continue\r\n" + row.head + "\r\n" + row.body
			if got := testhttp.Exchange(c, text); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
