// Package connlimit bounds the connections of a server: those that are open in
// all and from one address, and how fast one address may open new ones. What is
// too much of one address is closed before a byte was read, so that nobody waits
// for a stranger. When all places are taken the newcomer gets the place of
// whoever has waited longest without being worth one, see [Place]: so nobody is
// kept out by connections that do nothing.
package connlimit

import (
	"container/list"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/internal/recent"
)

// Limits are how much a server takes. One address is an IPv4 address or an IPv6
// network of 64 bits, which is what one stranger has at the least.
type Limits struct {
	Most       int     // open at once
	PerAddress int     // of them from one address
	Rate       float64 // new ones a second from one address
	Burst      int     // new ones at once from one address
	// LoadBalancers stand for many, so that only Most counts for them. IPv4
	// prefixes are written as IPv4.
	LoadBalancers []netip.Prefix
}

// Or returns the limits with those of defaults in place of what is not above
// zero.
func (l Limits) Or(defaults Limits) Limits {
	l.Most = positive(l.Most, defaults.Most)
	l.PerAddress = positive(l.PerAddress, defaults.PerAddress)
	l.Rate = positive(l.Rate, defaults.Rate)
	l.Burst = positive(l.Burst, defaults.Burst)
	if l.LoadBalancers == nil {
		l.LoadBalancers = defaults.LoadBalancers
	}
	return l
}

func positive[N int | float64](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

// maxAddresses bounds the addresses that are remembered after their
// connections have ended; twice as many may be for a while.
const maxAddresses = 32_768

// A Limiter keeps the limits of one server. It is safe for concurrent use.
type Limiter struct {
	limits   Limits
	patience time.Duration // of writes, see [conn]
	refused  [reasons]atomic.Int64

	mu     sync.Mutex
	open   map[*Place]struct{}                      // guarded by mu
	idle   list.List                                // guarded by mu; *Place of the open ones that nothing keeps, the longest first
	held   int                                      // guarded by mu; places that are held
	counts map[netip.Addr]int                       // guarded by mu; open ones by address
	rates  *recent.Table[netip.Addr, *rate.Limiter] // guarded by mu; of new connections
}

// A Reason is why a connection was closed.
type Reason int

// The reasons.
const (
	Full       Reason = iota + 1 // as many are open as may be, and each is kept
	Displaced                    // it was let in, and made room for a newer one
	PerAddress                   // as many of its address are open as may be
	TooFast                      // its address opens them too fast
	reasons
)

// String returns the name that metrics use.
func (r Reason) String() string {
	switch r {
	case Full:
		return "all"
	case Displaced:
		return "displaced"
	case PerAddress:
		return "address"
	case TooFast:
		return "rate"
	case reasons:
	}
	return "unknown"
}

// Reasons returns all reasons.
func Reasons() []Reason { return []Reason{Full, Displaced, PerAddress, TooFast} }

// New returns a limiter; limits that are not positive let nobody in.
func New(l Limits) *Limiter {
	return &Limiter{limits: l, patience: patience, open: map[*Place]struct{}{}, counts: map[netip.Addr]int{}, rates: recent.New[netip.Addr, *rate.Limiter](maxAddresses)}
}

// Open returns how many connections are open.
func (l *Limiter) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// Refused returns how many connections were closed for a reason.
func (l *Limiter) Refused(r Reason) int64 { return l.refused[r].Load() }

// Exempts reports whether whoever calls from host:port stands for many.
func (l *Limiter) Exempts(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	return err == nil && l.exempts(ap.Addr())
}

func (l *Limiter) exempts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(l.limits.LoadBalancers, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Enter lets a connection in from host:port, or says that it may not come; end
// closes it when another gets its place. The caller calls [Place.Leave].
func (l *Limiter) Enter(remote string, end func()) (*Place, bool) {
	p := &Place{limiter: l, addr: Address(remote), end: end}
	displaced, reason := l.enter(p, l.Exempts(remote))
	if displaced != nil {
		l.refused[Displaced].Add(1)
		displaced.end()
	}
	if reason != 0 {
		l.refused[reason].Add(1)
		return nil, false
	}
	return p, true
}

// enter returns who has to go for p, or why p may not come.
func (l *Limiter) enter(p *Place, exempt bool) (displaced *Place, why Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case exempt:
	case l.counts[p.addr] >= l.limits.PerAddress:
		return nil, PerAddress
	case !l.limiter(p.addr).Allow():
		return nil, TooFast
	}
	if len(l.open) >= l.limits.Most {
		if displaced = l.longest(); displaced == nil {
			return nil, Full
		}
		displaced.leave()
	}
	l.open[p] = struct{}{}
	l.counts[p.addr]++
	p.settle()
	return displaced, 0
}

// longest returns the place that nothing has kept for the longest time, or nil.
// The caller holds mu.
func (l *Limiter) longest() *Place {
	if first := l.idle.Front(); first != nil {
		if p, ok := first.Value.(*Place); ok {
			return p
		}
	}
	return nil
}

// limiter returns what an address may still do. Time is the process's own, which
// nobody sets back. The caller holds mu.
func (l *Limiter) limiter(addr netip.Addr) *rate.Limiter {
	return l.rates.Of(addr, func() *rate.Limiter { return rate.NewLimiter(rate.Limit(l.limits.Rate), l.limits.Burst) })
}

// siteBits are the bits of an IPv6 address that its holder cannot choose
// freely: a network of one site has 64 (RFC 4291 section 2.5.4).
const siteBits = 64

// Address returns where host:port is, as far as one caller can be told from
// another: its IPv4 address or the network of its IPv6 address; zero where that
// is no IP address.
func Address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	return netip.PrefixFrom(addr, siteBits).Masked().Addr()
}

// Listener returns a listener that hands out the connections of inner which may
// come in.
func (l *Limiter) Listener(inner net.Listener) net.Listener { return &listener{inner, l} }

type listener struct {
	net.Listener
	limiter *Limiter
}

// Accept waits for a connection that may come in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		closed := func() { _ = raw.Close() } // it is gone either way
		if place, ok := l.limiter.Enter(raw.RemoteAddr().String(), closed); ok {
			bound(raw)
			return &conn{Conn: raw, place: place, patience: l.limiter.patience}, nil
		}
		closed() // nobody was promised anything yet
	}
}
