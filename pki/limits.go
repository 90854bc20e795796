package pki

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// limits are those of an authority as a server. One address is an IPv4 address
// or an IPv6 network of 64 bits, which is what one stranger has at the least.
type limits struct {
	connections   int        // open at once
	perAddress    int        // of them from one address
	refusals      rate.Limit // of callers without certificate, a second and address
	refusalBurst  int
	logged        rate.Limit // refusals written to the log, a second
	loggedAtBurst int
}

func defaultLimits() limits {
	return limits{
		connections: 4096, perAddress: 64,
		refusals: 10, refusalBurst: 100,
		logged: 20, loggedAtBurst: 200,
	}
}

// A limitedListener hands out connections within the limits; what is too much
// is closed before a byte was read, so that nobody waits for a stranger.
type limitedListener struct {
	net.Listener
	most, perAddress int

	mu     sync.Mutex
	open   int                  // guarded by mu
	counts map[netip.Prefix]int // guarded by mu; open ones by address
}

func limitListener(l net.Listener, most limits) *limitedListener {
	return &limitedListener{Listener: l, most: most.connections, perAddress: most.perAddress, counts: map[netip.Prefix]int{}}
}

// Accept waits for a connection that may come in.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := addressOf(conn.RemoteAddr().String())
		if l.enter(addr) {
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.leave(addr) })}, nil
		}
		_ = conn.Close() // nobody was promised anything yet
	}
}

func (l *limitedListener) enter(addr netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.most || l.counts[addr] >= l.perAddress {
		return false
	}
	l.open++
	l.counts[addr]++
	return true
}

func (l *limitedListener) leave(addr netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.counts[addr]--; l.counts[addr] == 0 {
		delete(l.counts, addr)
	}
}

// A limitedConn gives its place back once, when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection and gives its place to another.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// addressOf returns where host:port is, as far as one caller can be told from
// another; zero where that is no IP address.
func addressOf(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // no address is shorter
	return prefix
}
