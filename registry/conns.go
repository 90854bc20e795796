package registry

import (
	"container/list"
	"context"
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
)

// sweepEvery is how often connections are held against their certificates: an
// ended or revoked one must not live on for 10 s.
const sweepEvery = 5 * time.Second

// A conn is a connection of the server from its accept to its end.
type conn struct {
	net.Conn
	caller atomic.Pointer[caller]       // nil before the handshake
	host   atomic.Pointer[string]       // the Host that was last found to be of the connection's network
	pace   atomic.Pointer[rate.Limiter] // of what is read; nil before the handshake
	place  *connlimit.Place
	leave  func()
	over   chan struct{} // closed by leave

	of    identity.NodeID // zero before the handshake; guarded by the mu of conns
	among *list.Element   // of those of the identity; guarded by the mu of conns
}

// vouched reports whether a Host header was found to fit the connection.
func (c *conn) vouched(host string) bool {
	known := c.host.Load()
	return known != nil && *known == host
}

func (c *conn) vouch(host string) { c.host.Store(&host) }

// Read reads no faster than the caller may send.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if pace := c.pace.Load(); pace != nil && n > 0 {
		if paceErr := c.wait(pace, min(n, byteBurst)); paceErr != nil {
			return n, paceErr
		}
	}
	return n, err
}

// wait waits until the caller may have sent n bytes. A connection that would
// wait for longer than a request may take ends: what its identity has sent on
// others stands before it.
func (c *conn) wait(pace *rate.Limiter, n int) error {
	now := time.Now()
	turn := pace.ReserveN(now, n)
	delay := turn.DelayFrom(now)
	if delay <= 0 {
		return nil
	}
	if delay > readTimeout {
		turn.CancelAt(now)
		_ = c.Close()
		return net.ErrClosed
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.over:
		return net.ErrClosed
	}
}

// Close closes the connection, which is then no longer one of the server's.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// conns are the open connections of a server.
type conns struct {
	most int // of one identity

	mu     sync.Mutex
	open   map[*conn]struct{}             // guarded by mu
	byNode map[identity.NodeID]*list.List // guarded by mu; of *conn, the oldest first
	closed int64                          // guarded by mu; those for which their identity had newer ones
}

func newConns(most int) *conns {
	return &conns{most: most, open: map[*conn]struct{}{}, byNode: map[identity.NodeID]*list.List{}}
}

// add takes a connection in.
func (cs *conns) add(raw net.Conn) *conn {
	c := &conn{Conn: raw, place: connlimit.PlaceOf(raw), over: make(chan struct{})}
	c.leave = sync.OnceFunc(func() {
		close(c.over)
		cs.remove(c)
	})
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open[c] = struct{}{}
	return c
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	cs.forget(c)
}

// identified notes whose a connection is and keeps its place. Where an identity
// has too many the oldest ends: one that it has lost must not keep it out.
func (cs *conns) identified(c *conn, id identity.NodeID) {
	c.place.Keep()
	if over := cs.take(c, id); over != nil {
		_ = over.Close() // it is gone either way
	}
}

// take returns the connection that has to end.
func (cs *conns) take(c *conn, id identity.NodeID) (over *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if _, open := cs.open[c]; !open || c.among != nil {
		return nil
	}
	mine := cs.byNode[id]
	if mine == nil {
		mine = list.New()
		cs.byNode[id] = mine
	}
	c.of, c.among = id, mine.PushBack(c)
	if mine.Len() <= cs.most {
		return nil
	}
	over, ok := mine.Front().Value.(*conn)
	if !ok {
		return nil
	}
	cs.forget(over)
	cs.closed++
	return over
}

// forget takes a connection off those of its identity. The caller holds mu.
func (cs *conns) forget(c *conn) {
	if c.among == nil {
		return
	}
	mine := cs.byNode[c.of]
	mine.Remove(c.among)
	c.among = nil
	if mine.Len() == 0 {
		delete(cs.byNode, c.of)
	}
}

// many reports whether an identity has more connections than one that is
// frugal.
func (cs *conns) many(id identity.NodeID) bool {
	const frugal = 4
	cs.mu.Lock()
	defer cs.mu.Unlock()
	mine := cs.byNode[id]
	return mine != nil && mine.Len() > frugal
}

// surplus returns how many connections ended because their identity had newer
// ones.
func (cs *conns) surplus() int64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.closed
}

// all returns the open connections.
func (cs *conns) all() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Keys(cs.open))
}

// A listener notes the connections that it hands out.
type listener struct {
	net.Listener
	conns *conns
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.conns.add(raw), nil
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
