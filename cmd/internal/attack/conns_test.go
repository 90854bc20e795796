package attack_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// connect returns a TLS connection of a client; edit may change its settings.
func (r *target) connect(t *testing.T, edit func(*tls.Config)) (net.Conn, error) {
	t.Helper()
	conf := &tls.Config{
		ServerName: r.ca.TD.RegistryName(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{*r.reader.Identity().Credential.TLS()},
	}
	if edit != nil {
		edit(conf)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", r.process.address)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.SetDeadline(time.Now().Add(patience))
}

// raw sends bytes over TLS and returns what the first response is.
func (r *target) raw(t *testing.T, text string) outcome {
	t.Helper()
	c, err := r.connect(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, text) // the server need not read it all
	}()
	got := response(t, c)
	_ = c.Close()
	<-sent
	return got
}

// response reads a response.
func response(t *testing.T, c io.Reader) outcome {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return outcome(fmt.Sprintf("no response: %v", err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return outcome(fmt.Sprintf("%d, cut: %v", res.StatusCode, err))
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		return answered(res.StatusCode, "")
	}
	return answered(res.StatusCode, identity.ParseProblem(res.StatusCode, res.Header, body).Code)
}

func (r *target) plainHTTP(t *testing.T) outcome {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.process.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/head HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 400 ") {
		return outcome(fmt.Sprintf("%.40q, %v", text, err))
	}
	return "400 in plain text, connection ended"
}

func (r *target) oldTLS(t *testing.T) outcome {
	t.Helper()
	return r.alert(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
}

func (r *target) noCertificate(t *testing.T) outcome {
	t.Helper()
	return r.alert(t, func(c *tls.Config) { c.Certificates = nil })
}

func (r *target) otherName(t *testing.T) outcome {
	t.Helper()
	return r.alert(t, func(c *tls.Config) { c.ServerName = "registry.staging.netget.internal" })
}

// alert connects and asks for the head; the outcome is the alert by which the
// registry ends that.
func (r *target) alert(t *testing.T, edit func(*tls.Config)) outcome {
	t.Helper()
	c, err := r.connect(t, edit)
	if err == nil {
		_, _ = io.WriteString(c, "GET /v1/head HTTP/1.1\r\nHost: x\r\n\r\n") // what comes back tells
		var res *http.Response
		if res, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			defer res.Body.Close()
			return answered(res.StatusCode, "")
		}
	}
	alert, ok := errors.AsType[tls.AlertError](err)
	if !ok {
		if op, isOp := errors.AsType[*net.OpError](err); isOp && op.Op == "remote error" {
			return outcome("no connection: " + strings.TrimPrefix(op.Err.Error(), "tls: "))
		}
		return outcome(fmt.Sprintf("no connection: %v", err))
	}
	return outcome("no connection: " + strings.TrimPrefix(alert.Error(), "tls: "))
}

// slowHeaders sends a byte of a header each second until the registry has had
// enough; how long that took is sent.
func (r *target) slowHeaders(t *testing.T) <-chan time.Duration {
	t.Helper()
	began, took := time.Now(), make(chan time.Duration, 1)
	c, err := r.connect(t, nil) // it gives up by itself when our patience ends
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, c) // until it is cut
		took <- time.Since(began)
		close(ended)
	}()
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for _, err := io.WriteString(c, "GET /v1/head HTTP/1.1\r\nX: "); err == nil; _, err = io.WriteString(c, "a") {
			select {
			case <-tick.C:
			case <-ended:
				return
			}
		}
	}()
	return took
}

// silentConnections opens connections that say nothing; how long the longest
// lived is sent.
func (r *target) silentConnections(t *testing.T, n int) <-chan time.Duration {
	t.Helper()
	lived, longest := make(chan time.Duration, n), make(chan time.Duration, 1)
	for range n {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.process.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		began := time.Now()
		if err := c.SetDeadline(began.Add(patience)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.Copy(io.Discard, c) // until it is closed
			lived <- time.Since(began)
		}()
	}
	go func() {
		var most time.Duration
		for range n {
			most = max(most, <-lived)
		}
		longest <- most
	}()
	return longest
}
