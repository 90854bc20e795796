package discovery_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// TestBrokenReplyIsNoAnswer has a registry whose replies are no HTTP from some
// byte on, as through a broken middlebox: it has not answered, like one that
// cannot be reached.
func TestBrokenReplyIsNoAnswer(t *testing.T) {
	for name, text := range map[string]string{
		"a chunk without a length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a body that is cut":       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
		"no HTTP":                  "hello\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup("north")
			north := newLab(s.ca, s.clock, "north")
			r, err := discovery.NewRemote(serveText(t, s, north, text), s.source, s.clock.Now)
			if err != nil {
				t.Fatal(err)
			}
			c := s.client(t, nil, r.URL())
			_, _, err = c.Heads(t.Context())
			if _, ok := errors.AsType[*url.Error](err); !ok {
				t.Errorf("got %v, want the error of a transport", err)
			}
			_, err = c.Discover(t.Context(), service)
			if _, ok := errors.AsType[*url.Error](err); !ok {
				t.Errorf("discovering: got %v, want the error of a transport", err)
			}
		})
	}
}

// serveText answers every request with the same bytes.
func serveText(t *testing.T, s *setup, l *lab, text string) (address string) {
	t.Helper()
	config := identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return l.tls.TLS() },
			Verify: func(state tls.ConnectionState) error {
				_, err := identity.VerifyPeer(state, l.ca.Bundle(), identity.ClientUse, s.clock.Now())
				return err
			},
		}
	})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener = tls.NewListener(listener, config)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			go answerText(conn, text)
		}
	}()
	return "https://" + listener.Addr().String()
}

func answerText(conn net.Conn, text string) {
	defer func() { _ = conn.Close() }()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return // a connection that only learnt who is here
	}
	_, _ = io.WriteString(conn, text) // the client judges what came
}
