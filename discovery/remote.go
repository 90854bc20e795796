package discovery

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/neurons-me/netget/identity"
)

const (
	dialTimeout    = 3 * time.Second
	requestTimeout = 5 * time.Second
	idleTimeout    = 90 * time.Second
	maxReplyBytes  = MaxAnswerBytes

	maxAddressBytes = 300 // of https://, a DNS name and a port
)

// A Remote is one address at which registries of the network answer. Which
// registry that is, it proves in the handshake; the address says only where to
// dial. It is safe for concurrent use.
type Remote struct {
	url    string
	source *identity.Source
	now    func() time.Time

	mu        sync.Mutex
	transport *http.Transport // for the credential in force; guarded by mu
	leaf      identity.Hash   // of that credential; guarded by mu
	peer      identity.NodeID // who showed up last; guarded by mu
	spare     net.Conn        // dialled to learn the peer, not used yet; guarded by mu
}

// A reply is what came back from a request, read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
	peer   identity.NodeID
}

// ParseAddress checks the URL of a registry: https, a host, a port, nothing
// else. It returns the canonical form.
func ParseAddress(text string) (string, error) {
	if len(text) > maxAddressBytes {
		return "", identity.Refuse(identity.Malformed, "an address of %d bytes, more than %d", len(text), maxAddressBytes)
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", identity.Refuse(identity.Malformed, "%q is not a URL", text)
	}
	if u.Scheme != "https" || u.Hostname() == "" || strings.ContainsFunc(u.Host, isForeign) || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", identity.Refuse(identity.Malformed, "%q is not the address of a registry, such as https://registry.example.org:8438", text)
	}
	port := u.Port()
	if port == "" {
		port = "8438"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", identity.Refuse(identity.Malformed, "%q has no valid port", text)
	}
	return "https://" + net.JoinHostPort(identity.FoldName(u.Hostname()), port), nil
}

// isForeign reports whether a character can stand in no host that we dial: those
// beyond ASCII are written as A-labels, and an address has no zone.
func isForeign(r rune) bool { return r > unicode.MaxASCII || r == '%' }

// NewRemote returns the registry address for a node with the given identity.
func NewRemote(address string, source *identity.Source, now func() time.Time) (*Remote, error) {
	address, err := ParseAddress(address)
	if err != nil {
		return nil, err
	}
	return &Remote{url: address, source: source, now: now}, nil
}

// URL returns the address.
func (r *Remote) URL() string { return r.url }

// Close closes the connections that are idle.
func (r *Remote) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.transport != nil {
		r.transport.CloseIdleConnections()
		r.transport = nil
	}
	r.dropSpare()
}

// Peer returns which registry answers at the address. It dials when nobody has
// shown up there yet.
func (r *Remote) Peer(ctx context.Context) (identity.NodeID, error) {
	r.mu.Lock()
	peer := r.peer
	r.mu.Unlock()
	if !peer.IsZero() {
		return peer, nil
	}
	conn, peer, err := r.handshake(ctx)
	if err != nil {
		return identity.NodeID{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropSpare()
	r.spare = conn
	return peer, nil
}

// client returns an HTTP client whose connections show the credential that is
// in force: after a renewal new ones are made and the old ones run out.
func (r *Remote) client() *http.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaf := r.source.Identity().Credential.Thumbprint()
	if r.transport == nil || r.leaf != leaf {
		if r.transport != nil {
			r.transport.CloseIdleConnections()
			r.dropSpare()
		}
		r.leaf = leaf
		r.transport = &http.Transport{
			DialTLSContext:         r.dial,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{
		Transport:     r.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial hands out the connection that was made to learn the peer, or a new one.
func (r *Remote) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	r.mu.Lock()
	conn := r.spare
	r.spare = nil
	r.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, _, err := r.handshake(ctx)
	return conn, err
}

func (r *Remote) handshake(ctx context.Context) (net.Conn, identity.NodeID, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	config := identity.ClientTLS(r.source, r.now)
	config.NextProtos = []string{"http/1.1"}
	dialer := tls.Dialer{NetDialer: &net.Dialer{KeepAlive: 15 * time.Second}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(r.url, "https://"))
	if err != nil {
		return nil, identity.NodeID{}, err
	}
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil, identity.NodeID{}, fmt.Errorf("dialling %s: a connection without TLS", r.url)
	}
	peer, err := r.peerOf(secured.ConnectionState())
	if err != nil {
		_ = conn.Close() // the first error is the one to report
		return nil, identity.NodeID{}, err
	}
	r.mu.Lock()
	r.peer = peer
	r.mu.Unlock()
	return conn, peer, nil
}

func (r *Remote) peerOf(state tls.ConnectionState) (identity.NodeID, error) {
	cert, err := identity.VerifyPeer(state, r.source.Identity().Bundle, identity.ServerUse, r.now())
	if err != nil {
		return identity.NodeID{}, err
	}
	return cert.ID(), nil
}

// checkKept judges a kept connection again before a request goes over it. One
// whose registry's certificate is over or revoked is closed: nothing was written
// yet, so that net/http makes a new connection, which the registry that has
// renewed its certificate passes.
func (r *Remote) checkKept(info httptrace.GotConnInfo) {
	conn, ok := info.Conn.(*tls.Conn)
	if !ok || !info.Reused {
		return
	}
	if _, err := r.peerOf(conn.ConnectionState()); err != nil {
		_ = conn.Close() // the new handshake tells who is there
	}
}

// dropSpare closes an unused connection; r.mu is held.
func (r *Remote) dropSpare() {
	if r.spare != nil {
		_ = r.spare.Close() // nothing was written
		r.spare = nil
	}
}

// do sends one request and reads the reply. A status from 400 on is an
// [*identity.ProblemError], returned beside the reply.
func (r *Remote) do(ctx context.Context, method, path string, query url.Values, contentType string, body []byte) (*reply, error) {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.send(ctx, method, path, query, header, body)
}

// await is a GET by [Remote.do] that the registry may hold back for so long, in
// whole seconds.
func (r *Remote) await(ctx context.Context, path string, query url.Values, wait time.Duration) (*reply, error) {
	header := http.Header{}
	if seconds := int64(wait / time.Second); seconds > 0 {
		header.Set("Prefer", "wait="+strconv.FormatInt(seconds, 10)) // RFC 7240 section 4.3
	}
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	return r.send(ctx, http.MethodGet, path, query, header, nil)
}

// send sends one request, which ends with ctx.
func (r *Remote) send(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (*reply, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: r.checkKept})
	target := r.url + path
	if len(query) != 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = r.source.Identity().Bundle.TrustDomain().RegistryName()
	req.Header = header
	resp, err := r.client().Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end, or the error is there
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReplyBytes+1))
	if err != nil {
		return nil, &url.Error{Op: "reading the reply of", URL: r.url, Err: err} // as what Do returns: there was no answer
	}
	if len(text) > maxReplyBytes {
		return nil, identity.Refuse(identity.Limits, "a reply of more than %d bytes", maxReplyBytes)
	}
	if resp.TLS == nil {
		return nil, identity.Refuse(identity.Binding, "a reply without TLS")
	}
	peer, err := r.peerOf(*resp.TLS)
	if err != nil {
		return nil, err
	}
	got := &reply{status: resp.StatusCode, header: resp.Header, body: text, peer: peer}
	if resp.StatusCode >= http.StatusBadRequest {
		return got, identity.ParseProblem(resp.StatusCode, resp.Header, text)
	}
	return got, nil
}
