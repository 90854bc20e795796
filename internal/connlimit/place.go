package connlimit

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/netip"
)

// A Place is what one open connection has of a server. It is lost to a newcomer
// when all are taken, unless the server keeps it: for good, once it knows who is
// there, or while it works for it. That a byte has come is no reason, since
// anybody can send one. All methods do nothing for a nil Place, and none for one
// that was left.
type Place struct {
	limiter *Limiter
	addr    netip.Addr
	end     func() // closes the connection

	// All guarded by the limiter's mu.
	idle *list.Element // among those that nothing keeps
	kept bool
	held int // how often
	left bool
}

// PlaceOf returns the place of a connection that a [Limiter.Listener] has handed
// out, also under TLS; nil if c is none.
func PlaceOf(c net.Conn) *Place {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if own, ok := c.(*conn); ok {
		return own.place
	}
	return nil
}

// Keep keeps the place until the connection ends.
func (p *Place) Keep() {
	if p == nil {
		return
	}
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	p.kept = true
	p.settle()
}

// Hold keeps the place until release, which is called once. At most half of all
// places are held at a time, lest those for whom a server works can take all: a
// connection beyond that is not kept.
func (p *Place) Hold() (release func()) {
	if p == nil || !p.hold() {
		return func() {}
	}
	return p.release
}

func (p *Place) hold() bool {
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	if p.left || p.held == 0 && p.limiter.held >= p.limiter.limits.Most/2 {
		return false
	}
	if p.held++; p.held == 1 {
		p.limiter.held++
	}
	p.settle()
	return true
}

func (p *Place) release() {
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	if p.left {
		return
	}
	if p.held--; p.held == 0 {
		p.limiter.held--
	}
	p.settle()
}

// Leave gives the place back; it may be called more than once.
func (p *Place) Leave() {
	p.limiter.mu.Lock()
	defer p.limiter.mu.Unlock()
	p.leave()
}

// leave is [Place.Leave]. The caller holds mu.
func (p *Place) leave() {
	if p.left {
		return
	}
	p.left = true
	if p.held > 0 {
		p.limiter.held--
	}
	p.settle()
	l := p.limiter
	delete(l.open, p)
	if l.counts[p.addr]--; l.counts[p.addr] == 0 {
		delete(l.counts, p.addr)
	}
}

// settle lists the place among the idle ones, as the newest, or takes it off.
// The caller holds mu.
func (p *Place) settle() {
	switch idle := !p.kept && p.held == 0 && !p.left; {
	case idle && p.idle == nil:
		p.idle = p.limiter.idle.PushBack(p)
	case !idle && p.idle != nil:
		p.limiter.idle.Remove(p.idle)
		p.idle = nil
	}
}
