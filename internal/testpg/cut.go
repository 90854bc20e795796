package testpg

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// A Cut is the moment at which a [Cutter] ends a connection.
type Cut int

// The moments around a COMMIT.
const (
	// CutNever lets everything pass.
	CutNever Cut = iota
	// CutBefore ends the connection instead of handing COMMIT over: nothing is
	// committed, and the client cannot know.
	CutBefore
	// CutAfter hands COMMIT over, waits until the server has answered, and ends
	// the connection without the answer: all is committed, and the client cannot
	// know.
	CutAfter
)

// A Cutter stands between clients and a server and ends connections at COMMIT.
type Cutter struct {
	target string // the server's socket
	url    string

	mu   sync.Mutex
	next Cut // guarded by mu
	pass int // commits to let pass first; guarded by mu
	left int // commits to cut then; guarded by mu
	cuts int // guarded by mu

	conns sync.WaitGroup
}

// NewCutter listens in front of the database at a URL of this package until the
// test ends.
func NewCutter(tb testing.TB, database string) *Cutter {
	tb.Helper()
	u, err := url.Parse(database)
	if err != nil {
		tb.Fatal(err)
	}
	query := u.Query()
	name := ".s.PGSQL." + portOf(query)
	c := &Cutter{target: filepath.Join(query.Get("host"), name)}
	dir, err := os.MkdirTemp(tempFolder, "cut") //nolint:usetesting // a socket needs a short path, see tempFolder
	if err != nil {
		tb.Fatal(err)
	}
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	c.url = u.String()
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "unix", filepath.Join(dir, name))
	if err != nil {
		tb.Fatal(err)
	}
	c.conns.Go(func() { c.accept(listener) })
	tb.Cleanup(func() {
		_ = listener.Close() // that ends accept, and clients end the rest
		c.conns.Wait()
		_ = os.RemoveAll(dir) // it is temporary
	})
	return c
}

func portOf(query url.Values) string {
	if port := query.Get("port"); port != "" {
		return port
	}
	return "5432"
}

// URL returns the URL of the database as seen through the cutter.
func (c *Cutter) URL() string { return c.url }

// Cut ends the connections of the next n commits.
func (c *Cutter) Cut(n int, at Cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.pass, c.left = at, 0, n
}

// CutLater lets n commits pass and ends the connection of the next.
func (c *Cutter) CutLater(n int, at Cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next, c.pass, c.left = at, n, 1
}

// Cuts returns how many commits were cut.
func (c *Cutter) Cuts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts
}

// take says what happens to one commit.
func (c *Cutter) take() Cut {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pass > 0 {
		c.pass--
		return CutNever
	}
	if c.left == 0 {
		return CutNever
	}
	c.left--
	c.cuts++
	return c.next
}

func (c *Cutter) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		c.conns.Go(func() { c.serve(client) })
	}
}

// serve carries one connection until either side or the cutter ends it.
func (c *Cutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", c.target) //nolint:noctx // it ends with the client
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	swallow := &swallower{to: client}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(swallow, server) // an end is an end
		_ = client.Close()
	})
	c.forward(client, server, swallow)
	_ = server.Close()
	back.Wait()
}

// forward hands messages over until one is cut. The first, by which a session
// starts, has no type (PostgreSQL manual, "Message Formats").
func (c *Cutter) forward(client io.Reader, server io.Writer, swallow *swallower) {
	message, err := readMessage(client, 0)
	for ; err == nil; message, err = readMessage(client, 1) {
		cut := CutNever
		if message[0] == 'Q' && bytes.HasPrefix(bytes.ToLower(message[5:]), []byte("commit")) {
			cut = c.take()
		}
		if cut == CutBefore {
			return
		}
		answered := swallow.begin(cut == CutAfter)
		if _, err := server.Write(message); err != nil {
			return
		}
		if cut == CutAfter {
			<-answered
			return
		}
	}
}

func readMessage(from io.Reader, typed int) ([]byte, error) {
	message := make([]byte, typed+4)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	rest := make([]byte, max(binary.BigEndian.Uint32(message[typed:]), 4)-4)
	_, err := io.ReadFull(from, rest)
	return append(message, rest...), err
}

// A swallower passes on what the server says, or swallows it.
type swallower struct {
	to io.Writer

	mu    sync.Mutex
	heard chan struct{} // closed at the first thing swallowed; nil: pass on; guarded by mu
}

// begin swallows all from now on, if it is time to.
func (s *swallower) begin(now bool) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now {
		s.heard = make(chan struct{})
	}
	return s.heard
}

// Write takes what the server says.
func (s *swallower) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard == nil {
		return s.to.Write(p)
	}
	select {
	case <-s.heard:
	default:
		close(s.heard)
	}
	return len(p), nil
}
