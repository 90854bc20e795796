package probe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// A knownFrames is an HTTP/2 connection, of one request, about which net/http has
// no line for the program's log. Frames that net/http does not know it ignores,
// as RFC 9113 section 5.5 says, but with a line for each: they are left out. Where
// the other side breaks the protocol, which net/http writes down too, reading
// ends.
type knownFrames struct {
	net.Conn
	begun bool
	asked atomic.Bool // the request is being written
	// answering is so between the final header of the answer and its end.
	answering, ended bool
	head             []byte                // of the frame under way, not yet read
	left             int64                 // of its payload
	end              atomic.Pointer[error] // why reading has ended
}

const (
	frameHeadBytes = 9
	theStream      = 1 // the first that a client opens
)

const (
	errNotHTTP2    = findingError("it does not speak HTTP/2")
	errBrokenHTTP2 = findingError("its HTTP/2 is broken")
)

// trace returns what tells the connection how far its request is. A provisional
// answer is told by the goroutine that reads, before it reads on.
func (c *knownFrames) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { c.asked.Store(true) }, // net/http has the stream by then, and has not yet sent it
		Got1xxResponse:   func(int, textproto.MIMEHeader) error { c.answering = false; return nil },
	}
}

// why returns, of an error, what it may be told as: net/http says in many ways
// that reading has ended.
func (c *knownFrames) why(err error) error {
	if _, ok := errors.AsType[findingError](err); ok {
		return err
	}
	if end := c.end.Load(); end != nil {
		err = *end
	}
	return &foreignError{errBrokenHTTP2.Error(), err}
}

// Read reads of known frames, and never of two at once.
func (c *knownFrames) Read(b []byte) (int, error) {
	n, err := c.read(b)
	if err != nil {
		c.end.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (c *knownFrames) read(b []byte) (int, error) {
	for len(c.head) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	return n, err
}

// next reads the head of a frame, and all of an unknown one.
func (c *knownFrames) next() error {
	head := make([]byte, frameHeadBytes)
	if _, err := io.ReadFull(c.Conn, head); err != nil {
		return err
	}
	h, err := http2.ReadFrameHeader(bytes.NewReader(head))
	if err != nil {
		return err
	}
	if !c.begun && h.Type != http2.FrameSettings {
		return errNotHTTP2
	}
	c.begun = true
	if h.Type > http2.FrameContinuation || h.Type == http2.FramePriority {
		_, err := io.CopyN(io.Discard, c.Conn, int64(h.Length))
		return err
	}
	if !c.follow(h) {
		return errBrokenHTTP2
	}
	c.head, c.left = head, int64(h.Length)
	return nil
}

// follow follows the answer by the heads of its frames, and reports whether one
// may come now.
func (c *knownFrames) follow(h http2.FrameHeader) bool {
	switch h.Type { //nolint:exhaustive // net/http writes nothing about others
	case http2.FrameHeaders:
		if h.StreamID != theStream || !c.asked.Load() || c.ended {
			return false
		}
		c.answering, c.ended = true, h.Flags.Has(http2.FlagHeadersEndStream)
	case http2.FrameData:
		if h.StreamID != theStream || !c.answering || c.ended {
			return false
		}
		c.ended = h.Flags.Has(http2.FlagDataEndStream)
	}
	return true
}
