package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// An enrolConn is a connection by which somebody enrols.
type enrolConn struct {
	net.Conn
	replies *bufio.Reader
	url     string
}

// connect makes a connection up to the end of its handshake. It returns nil
// and fails the test when that is not possible.
func (a *tokenAuthority) connect(t *testing.T, from address) *enrolConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))},
		Config:    identity.AuthorityTLS(a.bundle, noCredential, time.Now),
	}
	dialer.Config.NextProtos = []string{"http/1.1"}
	c, err := dialer.DialContext(ctx, "tcp", a.address)
	if err != nil {
		t.Errorf("connecting to the authority: %v", err)
		return nil
	}
	return &enrolConn{Conn: c, replies: bufio.NewReader(c), url: "https://" + a.address + "/v1/enroll"}
}

func (c *enrolConn) close() { _ = c.Close() } // it was read to the end of its reply

// enrol sends one request and names its outcome.
func (c *enrolConn) enrol(t *testing.T, body []byte) string {
	t.Helper()
	outcome, err := c.call(t.Context(), body)
	if err != nil {
		t.Errorf("enrolling: %v", err)
	}
	return outcome
}

func (c *enrolConn) call(ctx context.Context, body []byte) (outcome string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := c.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return "", err
	}
	if err := req.Write(c); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(c.replies, req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(resp.Body)
	return outcomeOf(resp, text), err
}

// enrolBody is the body of a request with a key of its own.
func enrolBody(t *testing.T, token string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Error(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Error(err)
	}
	body, err := json.Marshal(struct {
		Token string `json:"token"`
		CSR   []byte `json:"csr"`
	}{token, csr})
	if err != nil {
		t.Error(err)
	}
	return body
}

// noCredential is what somebody shows who has no certificate yet.
func noCredential() *identity.Credential { return nil }
