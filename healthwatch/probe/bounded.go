package probe

import "net"

// What one probe reads (docs/protocol.md section 6).
const (
	probeReadBytes = 4 << 10  // of what a node says
	probeTLSBytes  = 48 << 10 // on the wire, where TLS has its part: chains of 16 KiB, and records of 16 KiB that come whole or not at all
)

const errTooMuch = findingError("it says more than a probe reads")

// A boundedConn reads a bounded number of bytes. One goroutine reads it at a
// time.
type boundedConn struct {
	net.Conn
	left int // bytes that may yet be read
}

// Read reads what may yet be read.
func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}
