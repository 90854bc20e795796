package probe

import (
	"context"
	"net"
	"net/http/httptrace"
	"time"
)

// CheckServing is for the fuzz test.
func CheckServing(body []byte) error { return checkServing(body) }

// KnownFrames returns what net/http reads of a connection, and what it is to tell
// about its request.
func KnownFrames(c net.Conn) (net.Conn, *httptrace.ClientTrace) {
	k := &knownFrames{Conn: c}
	return k, k.trace()
}

// Patient returns a prober whose probes may take as long as a slow machine needs.
func (p *Prober) Patient() *Prober {
	q := *p
	q.timeout = time.Minute
	return &q
}

// WithDial returns a prober that dials in another way.
func (p *Prober) WithDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Prober {
	q := *p
	q.dial = dial
	return &q
}
