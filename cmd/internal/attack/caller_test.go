package attack_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/forge"
)

const jose = discovery.JWSType

// A caller is somebody with a client certificate and one connection.
type caller struct {
	id    string // of the certificate, if it has one
	base  string // URL
	http  *http.Client
	local string // address of the newest connection
}

// A reply is a response that was read to its end.
type reply struct {
	status int
	class  identity.Code // of a problem
	header http.Header
	body   []byte
	closed bool // the connection ends with it
}

// outcome returns the words for a line.
func (r reply) outcome() outcome { return answered(r.status, r.class) }

// dial returns a caller with a client certificate. Nothing is sent yet.
func (r *target) dial(t *testing.T, certificate, issuer []byte) *caller {
	t.Helper()
	chain := tls.Certificate{Certificate: [][]byte{certificate, issuer}, PrivateKey: forge.KeyOf(certificate)}
	return r.newCaller(t, &chain)
}

// newCaller is [target.dial] with a key at hand.
func (r *target) newCaller(t *testing.T, chain *tls.Certificate) *caller {
	t.Helper()
	address := r.process.address
	c := &caller{base: "https://" + address}
	conf := identity.ClientTLS(r.reader, func() time.Time { return time.Unix(vectorSigned, 0) })
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return chain, nil }
	conf.NextProtos = []string{"http/1.1"}
	if leaf, err := x509.ParseCertificate(chain.Certificate[0]); err == nil && len(leaf.URIs) > 0 {
		c.id = leaf.URIs[0].String()
	}
	transport := &http.Transport{
		TLSClientConfig: conf, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				c.local = conn.LocalAddr().String()
			}
			return conn, err
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func (c *caller) request(t *testing.T, method, path string, body []byte) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// message returns the request that posts a body.
func (c *caller) message(t *testing.T, path, mediaType string, body []byte) *http.Request {
	t.Helper()
	req := c.request(t, http.MethodPost, path, body)
	req.Header.Set("Content-Type", mediaType)
	return req
}

// send sends a request and fails the test if no response comes.
func (c *caller) send(t *testing.T, req *http.Request) reply {
	t.Helper()
	got, err := c.try(req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (c *caller) get(t *testing.T, path string) reply {
	t.Helper()
	return c.send(t, c.request(t, http.MethodGet, path, nil))
}

// try sends a request; the error is that of the connection.
func (c *caller) try(req *http.Request) (reply, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	got := reply{status: res.StatusCode, header: res.Header, body: body, closed: res.Close}
	if res.Header.Get("Content-Type") == discovery.ProblemType {
		got.class = identity.ParseProblem(res.StatusCode, res.Header, body).Code
	}
	return got, err
}

// handshake sends a request of a caller who must not be let in. The outcome is
// the class that the registry's log has of this very connection: the caller is
// told no more than that it ended.
func (r *target) handshake(t *testing.T, c *caller, req *http.Request) outcome {
	t.Helper()
	got, err := c.try(req)
	if err == nil {
		return got.outcome()
	}
	const from = "TLS handshake error from "
	line, found := r.process.log.find(func(line string) bool { return strings.Contains(line, from+c.local+": ") })
	if !found {
		t.Fatalf("the registry knows of no failed handshake with %s (%v)", c.local, err)
	}
	_, reason, _ := strings.Cut(line, from+c.local+": ")
	class, _, _ := strings.Cut(reason, ":")
	return outcome("no connection: " + class)
}
