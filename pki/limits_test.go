package pki_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/internal/testpipe"
	"github.com/neurons-me/netget/pki"
)

// A claimingListener lets the connections of a test come from where it says.
type claimingListener struct {
	net.Listener
	claim func(i int) string // host:port of the i-th connection, from 0
	next  int                // one goroutine accepts
}

func (l *claimingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from := netip.MustParseAddrPort(l.claim(l.next))
	l.next++
	return &claimingConn{conn, net.TCPAddrFromAddrPort(from)}, nil
}

type claimingConn struct {
	net.Conn
	from net.Addr
}

func (c *claimingConn) RemoteAddr() net.Addr { return c.from }

// silent connects and says nothing.
func (w *world) silent(t *testing.T) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestConnectionsOfOneAddress(t *testing.T) {
	const most, more = 64, 10
	for name, from := range map[string]func(i int) string{
		"an IPv4 address":                 func(int) string { return "192.0.2.1:1" },
		"an IPv6 network of one customer": func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i+1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testpipe.Listen()
				pipeWorldOn(t, &claimingListener{Listener: l, claim: func(i int) string {
					if i == most+more {
						return "192.0.2.2:1"
					}
					return from(i)
				}}, func(*pki.Config) {})
				began := time.Now() // nothing below waits for a time-out
				held := make([]*testpipe.Conn, most)
				for i := range held {
					held[i] = l.Dial()
				}
				for range more {
					if c := l.Dial(); !hasEnded(c) {
						t.Fatal("one connection too many is kept, want it closed at once")
					}
				}
				if status, err := ask(t, without(t, l.Dial()), "GET", "/v1/bundle", nil, 0); status != http.StatusOK {
					t.Errorf("somebody else: %d, %v", status, err)
				}
				if hasEnded(held[0]) {
					t.Error("a connection within the limit was closed for those beyond it")
				}
				held[0].Close()
				synctest.Wait()
				if status, err := ask(t, without(t, l.Dial()), "GET", "/v1/bundle", nil, 0); status != http.StatusOK {
					t.Errorf("a place that is free again is not given away: %d, %v", status, err)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("it took %s", took)
				}
				time.Sleep(10 * time.Second) // all notice that they are too slow
			})
		})
	}
}

// hasEnded reports whether the server has closed a connection; a bubble tells.
func hasEnded(c *testpipe.Conn) bool {
	synctest.Wait()
	select {
	case <-c.Ended():
		return true
	default:
		return false
	}
}

// An address pays for its handshakes, also where none stays open; a load
// balancer's stand for many, of whom none pays for another.
func TestHandshakesOfOneAddress(t *testing.T) {
	const burst, more = 5, 5
	for from, want := range map[string]int{"192.0.2.1:1": burst, "10.0.0.7:1": burst + more} {
		l := &claimingListener{Listener: listen(t), claim: func(int) string { return from }}
		w := serveOn(t, initDir(t, "development"), newClock(), l, func(c *pki.Config) {
			c.Connections = connlimit.Limits{
				Rate: 1e-9, Burst: burst, LoadBalancers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
			}
		})
		in := 0
		for range burst + more {
			if _, err := w.hello(t.Context(), "ca."+td); err == nil {
				in++
			}
		}
		if in != want {
			t.Errorf("%d of %d connections from %s were let in, want %d", in, burst+more, from, want)
		}
	}
}

// Who is refused through a load balancer shuts nobody else out.
func TestRefusalsThroughALoadBalancer(t *testing.T) {
	const requests = 250 // more than one address may have refused
	w := serveWorld(t, initDir(t, "development"), newClock(), func(c *pki.Config) {
		c.Connections.LoadBalancers = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	c := w.caller(t, "development")
	for range requests {
		wantRefusal(t, c.do(t, "POST", "/v1/enroll", badEnrolment()), 400, identity.Malformed)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	const most = 6 * time.Second
	synctest.Test(t, func(t *testing.T) {
		_, l := pipeWorld(t, func(*pki.Config) {})
		conn := l.Dial()
		if status, err := ask(t, without(t, conn), "GET", "/1.0/health", nil, 0); status != http.StatusOK {
			t.Fatalf("got %d, %v", status, err)
		}
		idle := time.Now()
		if took := (<-conn.Ended()).Sub(idle); took > most {
			t.Errorf("an idle connection was open for %s", took)
		}
	})
}

func (w *world) connect(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: "ca." + td, InsecureSkipVerify: true, NextProtos: []string{protocol}}}
	conn, err := dialer.DialContext(t.Context(), "tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*tls.Conn)
}

// Every question more at once on one connection would be memory that a stranger
// holds: HTTP/2 is neither offered nor spoken.
func TestHTTP2IsNotOffered(t *testing.T) {
	w := newWorld(t, "development")
	for sni, protocols := range map[string][]string{"ca." + td: {"h2"}, "localhost": {"h2", "h2c"}} {
		_, err := handshake(t, w.addr, sni, protocols)
		if err == nil || !strings.Contains(err.Error(), "no application protocol") { // RFC 7301 section 3.2
			t.Errorf("%s by %q: %v, want the alert no_application_protocol", sni, protocols, err)
		}
	}
	for _, protocols := range [][]string{{"h2", "http/1.1"}, {"http/1.1", "h2"}} {
		conn, err := handshake(t, w.addr, "ca."+td, protocols)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("of %q the server chose %q", protocols, got)
		}
	}
	for name, m := range map[string][]tls.Certificate{
		"a stranger": nil, "a member": {w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"}).tls()},
	} {
		c := w.caller(t, "development", m...)
		c.client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
		if got, _, proto := c.traced(t, "GET", "/v1/bundle"); got.status != http.StatusOK || proto != "HTTP/1.1" {
			t.Errorf("%s who would rather speak HTTP/2: %d by %s", name, got.status, proto)
		}
	}
}

func handshake(t *testing.T, addr, sni string, protocols []string) (*tls.Conn, error) {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: protocols}}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*tls.Conn), nil
}
