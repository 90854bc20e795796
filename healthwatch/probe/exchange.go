package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
)

// A probe sends one request by a connection that was dialled before and never
// another: there are no redirects, no second try, no proxy, no cookies.

// negotiated returns the protocol that TLS has chosen; "" for none.
func negotiated(conn net.Conn) string {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.ConnectionState().NegotiatedProtocol
	}
	return ""
}

// sendHTTP1 sends a request, and judges the answer when its header has come.
// [http.Transport] would log what a server says before it is asked.
func sendHTTP1(conn net.Conn, req *http.Request, judge func(*http.Response) error) error {
	req.Close = true
	req.Header.Set("User-Agent", userAgent)
	if err := req.Write(conn); err != nil {
		return err
	}
	answer := &boundedConn{Conn: conn, left: probeReadBytes}
	r := bufio.NewReader(answer)
	for {
		res, err := http.ReadResponse(r, req) //nolint:bodyclose // to close a body would be to read it; the connection ends
		switch {
		case err != nil && answer.left == 0:
			return errTooMuch // and not that a line cut off is malformed
		case err != nil:
			return &foreignError{"its answer is not HTTP", err}
		}
		if res.StatusCode < 100 || res.StatusCode > 199 || res.StatusCode == http.StatusSwitchingProtocols {
			return judge(res)
		}
	}
}

const userAgent = "netget-registry"

// sendHTTP2 does the same by the HTTP/2 of net/http, to which the connection is
// given without TLS, so that [knownFrames] can stand between.
func sendHTTP2(conn net.Conn, req *http.Request, judge func(*http.Response) error) error {
	frames := &knownFrames{Conn: &boundedConn{Conn: conn, left: probeReadBytes}}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		DialTLSContext:     func(context.Context, string, string) (net.Conn, error) { return frames, nil },
		Protocols:          protocols,
		DisableCompression: true, MaxResponseHeaderBytes: probeReadBytes,
	}
	client, err := transport.NewClientConn(req.Context(), req.URL.Scheme, req.URL.Host)
	if err != nil {
		return frames.why(err)
	}
	defer func() { _ = client.Close() }()
	req.Header.Set("User-Agent", userAgent)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), frames.trace()))
	res, err := client.RoundTrip(req)
	if err != nil {
		return frames.why(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := judge(res); err != nil {
		return frames.why(err)
	}
	return nil
}
