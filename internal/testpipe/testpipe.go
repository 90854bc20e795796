// Package testpipe connects clients to a server in memory, so that the time of
// their connections can be that of a test in a bubble (testing/synctest).
package testpipe

import (
	"io"
	"net"
	"sync"
	"time"
)

// A Listener accepts what [Listener.Dial] connects. Its zero value is not usable.
type Listener struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Listen returns a listener.
func Listen() *Listener {
	return &Listener{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns an address for show.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// Dial connects to the server, which must be accepting.
func (l *Listener) Dial() *Conn {
	client, server := net.Pipe()
	l.incoming <- server
	c := &Conn{Conn: client, ended: make(chan time.Time, 1), incoming: make(chan []byte, 4096)}
	go c.take()
	return c
}

// A Conn is the client's end. It takes what the server writes at once, as a
// socket does, so that neither waits for the other when both say goodbye.
type Conn struct {
	net.Conn
	ended    chan time.Time
	incoming chan []byte
	rest     []byte
}

// Ended yields once, when the connection ends.
func (c *Conn) Ended() <-chan time.Time { return c.ended }

func (c *Conn) take() {
	defer close(c.incoming)
	for {
		b := make([]byte, 4096)
		n, err := c.Conn.Read(b)
		if err != nil {
			c.ended <- time.Now()
			return
		}
		c.incoming <- b[:n]
	}
}

// Read reads what was taken.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		var open bool
		if c.rest, open = <-c.incoming; !open {
			return 0, io.EOF
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// A Trickle is a body of so many bytes, one a second.
type Trickle int

// Read waits a second for a byte.
func (t *Trickle) Read(b []byte) (int, error) {
	if *t == 0 {
		return 0, io.EOF
	}
	*t--
	time.Sleep(time.Second)
	b[0] = ' '
	return 1, nil
}
