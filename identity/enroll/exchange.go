package enroll

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	callTimeout    = 30 * time.Second // of one exchange, connection included
	dialTimeout    = 10 * time.Second
	maxReplyBytes  = 32 << 20 // a bundle with its revocation lists
	maxSmallBytes  = 64 << 10 // a problem, or what somebody not verified says
	maxHeaderBytes = 16 << 10
)

// A call is one request to an authority, on a connection of its own that ends
// with it: a connection is as trusted as its tls says, never more.
type call struct {
	tls    *tls.Config
	method string
	url    string
	body   any   // encoded as JSON; nil for none
	status int   // the one that means success
	limit  int64 // bytes of the reply; 0: maxReplyBytes
}

// do returns the body of the reply. Errors: [*identity.ProblemError], a refusal of our
// own TLS checks, or whatever kept the two apart.
func (c call) do(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := c.request(ctx)
	if err != nil {
		return nil, err
	}
	client := c.client()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the certificate authority: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or the call has failed
	limit := cmp.Or(c.limit, maxReplyBytes)
	if res.StatusCode != c.status {
		limit = maxSmallBytes
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, &url.Error{Op: "reading the certificate authority's reply of", URL: c.url, Err: err} // as what Do returns: there was no answer
	}
	if int64(len(body)) > limit {
		return nil, identity.Refuse(identity.Limits, "the certificate authority's reply has more than %d bytes", limit)
	}
	if res.StatusCode != c.status {
		return nil, identity.ParseProblem(res.StatusCode, res.Header, body)
	}
	return body, nil
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, body)
	if err != nil {
		return nil, fmt.Errorf("preparing a request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// client follows no redirects: a token goes where it is meant to go.
func (c call) client() *http.Client {
	conf := c.tls.Clone()
	conf.NextProtos = []string{"http/1.1"} // one exchange gains nothing by HTTP/2
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:        conf,
			TLSHandshakeTimeout:    dialTimeout,
			DisableKeepAlives:      true,
			DisableCompression:     true, // the limit counts what was sent
			MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
