package registry_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/registry"
)

// from returns an address of the nth site.
func from(nth int) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:0:%x::1]:1000", nth)))
}

// However many connections come and say nothing, a member gets in at once, and
// those who are in stay.
func TestStrangersKeepNoMemberOut(t *testing.T) {
	for name, talk := range map[string]string{"silent ones": "", "ones that begin a handshake": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most = 16
				w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
				servePipe(t, w, l, func(c *registry.Config) {
					c.Metrics, c.Connections = metrics, connlimit.Limits{Most: most, PerAddress: 4}
				})
				inside := l.dialFrom(from(0))
				member := over(t, w, inside, w.ca.Issue(w.ca.ID("client", "inside")))
				want(t, get(t, "/v1/head", member), http.StatusOK)
				for i := range 3 * most {
					c := l.dialFrom(from(1 + i/4))
					go func() {
						_, _ = io.WriteString(c, talk)
						_, _ = io.Copy(io.Discard, c)
					}()
				}
				if !enters(t, w, l, "192.0.2.77:1000") {
					t.Error("a member was not let in")
				}
				want(t, get(t, "/v1/head", member), http.StatusOK)
				select {
				case <-inside.ended:
					t.Error("a member's connection made room for strangers")
				default:
				}
				if got := labelled(t, metrics, "netget_registry_connections_refused_total", "displaced"); got < 2*most {
					t.Errorf("%v connections are counted as displaced, want at least %d", got, 2*most)
				}
			})
		})
	}
}

// A member has so many connections, from wherever it comes: above it the oldest
// ends, and nobody else is kept out.
func TestConnectionsOfOneIdentityAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, mine = 64, 16
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) {
			c.Metrics, c.ConnectionsPerIdentity = metrics, mine
			c.Connections = connlimit.Limits{Most: most, PerAddress: mine}
		})
		other := l.dialFrom(from(100))
		want(t, get(t, "/v1/head", over(t, w, other, w.ca.Issue(w.ca.ID("client", "other")))), http.StatusOK)
		var conns []*watchedConn
		for i := range most {
			c := l.dialFrom(from(i / 8))
			cred := w.ca.Issue(w.ca.ID("client", "many")) // each with its own certificate
			want(t, get(t, "/v1/head", over(t, w, c, cred)), http.StatusOK)
			conns = append(conns, c)
		}
		synctest.Wait()
		for i, c := range append(conns, other) {
			ended := false
			select {
			case <-c.ended:
				ended = true
			default:
			}
			if want := i < most-mine; ended != want {
				t.Errorf("connection %d has ended: %t, want %t", i, ended, want)
			}
		}
		if !enters(t, w, l, "192.0.2.77:1000") {
			t.Error("another member was not let in")
		}
		if got := labelled(t, metrics, "netget_registry_connections_refused_total", "identity"); got != most-mine {
			t.Errorf("%v connections are counted as closed, want %d", got, most-mine)
		}
	})
}

// However few places there are, one member never takes all.
func TestOneIdentityHasAQuarterOfAllPlacesAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 16
		w, l, metrics := newWorld(t, "production", time.Now), newPipeListener(), prometheus.NewRegistry()
		servePipe(t, w, l, func(c *registry.Config) { c.Metrics, c.Connections = metrics, connlimit.Limits{Most: most} })
		cred := w.ca.Issue(w.ca.ID("client", "many"))
		for i := range most {
			want(t, get(t, "/v1/head", over(t, w, l.dialFrom(from(i)), cred)), http.StatusOK)
		}
		synctest.Wait()
		if got := gauge(t, metrics, "netget_registry_connections"); got != most/4 {
			t.Errorf("one member has %v connections, want %d", got, most/4)
		}
		if !enters(t, w, l, "192.0.2.77:1000") {
			t.Error("another member was not let in")
		}
	})
}

// A connection that has ended no longer counts for its identity.
func TestConnectionsThatEndedCountForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, l := newWorld(t, "production", time.Now), newPipeListener()
		servePipe(t, w, l, func(c *registry.Config) { c.ConnectionsPerIdentity = 2 })
		cred := w.ca.Issue(w.ca.ID("client", "laptop"))
		first := l.dial()
		want(t, get(t, "/v1/head", over(t, w, first, cred)), http.StatusOK)
		for range 5 {
			client := over(t, w, l.dial(), cred)
			want(t, get(t, "/v1/head", client), http.StatusOK)
			client.CloseIdleConnections()
			synctest.Wait()
		}
		select {
		case <-first.ended:
			t.Error("a connection ended for others that had ended before")
		default:
		}
	})
}
