package registry

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sweepEvery is how often connections are held against their certificates: an
// ended or revoked one must not live on for 10 s.
const sweepEvery = 5 * time.Second

// A conn is a connection of the server from its accept to its end.
type conn struct {
	net.Conn
	caller atomic.Pointer[caller] // nil before the handshake
	host   atomic.Pointer[string] // the Host that was last found to be of the connection's network
	leave  func()
}

// vouched reports whether a Host header was found to fit the connection.
func (c *conn) vouched(host string) bool {
	known := c.host.Load()
	return known != nil && *known == host
}

func (c *conn) vouch(host string) { c.host.Store(&host) }

// Close closes the connection and gives its place to another.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// conns are the open connections of a server.
type conns struct {
	most, perAddress int

	mu     sync.Mutex
	open   map[*conn]struct{} // guarded by mu
	counts map[netip.Addr]int // guarded by mu; open ones by [addressOf]
}

func newConns(most, perAddress int) *conns {
	return &conns{most: most, perAddress: perAddress, open: map[*conn]struct{}{}, counts: map[netip.Addr]int{}}
}

// count returns how many are open.
func (cs *conns) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}

// admit takes a connection in, or reports that there are enough.
func (cs *conns) admit(raw net.Conn) (*conn, bool) {
	addr := addressOf(raw)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.open) >= cs.most || cs.counts[addr] >= cs.perAddress {
		return nil, false
	}
	c := &conn{Conn: raw}
	c.leave = sync.OnceFunc(func() { cs.remove(c, addr) })
	cs.open[c] = struct{}{}
	cs.counts[addr]++
	return c, true
}

func (cs *conns) remove(c *conn, addr netip.Addr) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	if cs.counts[addr]--; cs.counts[addr] == 0 {
		delete(cs.counts, addr)
	}
}

// sweep closes the connections whose certificates have ended or were revoked.
func (cs *conns) sweep(now time.Time) (closed int) {
	for _, c := range cs.all() {
		known := c.caller.Load()
		if known == nil {
			continue // the handshake has its own time limit
		}
		if _, err := known.again(now); err != nil {
			_ = c.Close() // it is gone either way
			closed++
		}
	}
	return closed
}

func (cs *conns) all() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Keys(cs.open))
}

// A listener hands out connections within the limits; what is too much is
// closed before a byte was read.
type listener struct {
	net.Listener
	conns *conns
}

// Accept waits for a connection that may come in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, ok := l.conns.admit(raw); ok {
			return c, nil
		}
		_ = raw.Close() // nobody was promised anything yet
	}
}

// siteBits are the bits of an IPv6 address that its holder cannot choose
// freely: a network of one site has 64 (RFC 4291 section 2.5.4).
const siteBits = 64

// addressOf returns where a connection comes from: its IPv4 address or the
// network of its IPv6 address; zero where it has no IP address.
func addressOf(c net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	return netip.PrefixFrom(addr, siteBits).Masked().Addr()
}

type connKey struct{}

// withConn lets requests find the connection that they came by.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request.
func connOf(ctx context.Context) *conn {
	c, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return &conn{} // of a server that is not ours: nobody is known
	}
	return c
}
