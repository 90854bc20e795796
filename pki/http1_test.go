package pki_test

import (
	"testing"

	"github.com/neurons-me/netget/internal/testhttp"
)

// Messages at the edge of HTTP/1.1, each followed on its connection by a good
// request: what the statuses of all answers are. One answer means that the
// connection ended with it, so that nothing can hide behind the message.
func TestFormsOfHTTP1(t *testing.T) {
	w := newWorld(t, "development")
	const (
		get  = "GET /v1/bundle HTTP/1.1\r\nHost: x\r\n"
		post = "POST /v1/enroll HTTP/1.1\r\nHost: x\r\n"
	)
	for name, row := range map[string]struct{ text, want string }{
		"a question":                         {get + "\r\n", "200 200"},
		"a length with a transfer encoding":  {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"a transfer encoding with a length":  {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400"},
		"a transfer encoding":                {post + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "400"},
		"a transfer encoding in disguise":    {post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
		"chunks with bare line feeds":        {post + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", "400"},
		"two lengths":                        {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		"a signed length":                    {post + "Content-Length: +1\r\n\r\na", "400"},
		"a length of an exabyte":             {post + "Content-Length: 1000000000000000000\r\n\r\n", "413"},
		"a compressed body":                  {post + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "400 200"},
		"white space before the colon":       {get + "Content-Length : 1\r\n\r\n", "400"},
		"NUL in a header":                    {get + "X: a\x00b\r\n\r\n", "400"},
		"a bare carriage return in a header": {get + "X: a\rb\r\n\r\n", "400"},
		"a folded header":                    {get + "X: a\r\n b\r\n\r\n", "200 200"},
		"no host":                            {"GET /v1/bundle HTTP/1.1\r\n\r\n", "400"},
		"two hosts":                          {get + "Host: y\r\n\r\n", "400"},
		"a whole URL":                        {"GET https://x/v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n", "200 200"},
		"CONNECT":                            {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", "404 200"},
		"OPTIONS *":                          {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "404 200"},
		"TRACE":                              {"TRACE /v1/bundle HTTP/1.1\r\nHost: x\r\n\r\n", "405 200"},
		"HTTP/0.9":                           {"GET /v1/bundle\r\n", "400"},
		"HTTP/1.0":                           {"GET /v1/bundle HTTP/1.0\r\n\r\n", "200"},
		"HTTP/1.0 that is kept":              {"GET /v1/bundle HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200"},
		"HTTP/3.0":                           {"GET /v1/bundle HTTP/3.0\r\nHost: x\r\n\r\n", "505"},
		"the preface of HTTP/2":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "405"},
		"an upgrade to HTTP/2":               {get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "200 200"},
		"an expectation that is unknown":     {get + "Expect: tea\r\n\r\n", "417"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := testhttp.Exchange(w.connect(t, "http/1.1"), row.text+get+"Connection: close\r\n\r\n"); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
