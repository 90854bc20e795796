package connlimit

import (
	"net"
	"sync"
	"time"
)

// patience is how long one write may take before the connection is given up,
// at least half of it.
const patience = 10 * time.Second

// sendBuffer bounds what the kernel takes of a connection ahead of its reader,
// in bytes; Linux doubles it for its own use. A write that waits goes on only
// when a third of the buffer is free again, which would be a megabyte of one
// that the kernel has let grow: to free that within patience takes a reader of
// more than a hundred KiB a second. Of this one it is about 85 KiB, so whoever
// takes less than about 16 KiB a second has stopped reading. On a path of 60 ms
// it still lets through 2 MB a second.
const sendBuffer = 128 << 10

// bound bounds the send buffer of a connection that has one.
func bound(raw net.Conn) {
	if b, ok := raw.(interface{ SetWriteBuffer(int) error }); ok {
		_ = b.SetWriteBuffer(sendBuffer) // it is gone, as the next read tells
	}
}

// A conn gives its place back when it is closed, and ends when the other side
// does not read what is written. The time limit that net/http has for a response
// is not enough for that: over HTTP/2 it ends one stream, and waits for the
// connection to take the message which says so.
type conn struct {
	net.Conn
	place    *Place
	patience time.Duration

	mu       sync.Mutex
	deadline time.Time // of writes, as the server has set it; guarded by mu
	armed    time.Time // of writes, as it is in force; guarded by mu
}

// Close closes the connection and gives its place to another.
func (c *conn) Close() error {
	defer c.place.Leave()
	return c.Conn.Close()
}

// Write writes all of b within the time that the server has set, and within
// patience. A connection on which that fails is closed: over HTTP/2 the server
// would go on reading from it, and its streams would wait.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.arm(time.Now()); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // it is gone either way
	}
	return n, err
}

// arm sets the deadline of a write that begins. One that is far enough away is
// left alone: to set it costs more than to look.
func (c *conn) arm(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed.Sub(now) > c.patience/2 && c.armed.Sub(now) <= c.patience {
		return nil
	}
	return c.set(now.Add(c.patience))
}

// set puts the earlier of the server's deadline and ours in force. The caller
// holds mu.
func (c *conn) set(ours time.Time) error {
	if !c.deadline.IsZero() && c.deadline.Before(ours) {
		ours = c.deadline
	}
	c.armed = ours
	return c.Conn.SetWriteDeadline(ours)
}

// SetWriteDeadline sets the server's deadline; that of a write under way is
// never put off by it.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	now := time.Now()
	if c.armed.After(now) {
		return c.set(c.armed)
	}
	return c.set(now.Add(c.patience))
}

// SetDeadline is SetReadDeadline and [conn.SetWriteDeadline].
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
