package main_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/neurons-me/netget/identity"
)

// How a flooder makes its connections, and how long it waits for the server to
// end one.
const (
	dialTimeout    = time.Minute
	patience       = 3 * time.Minute
	atOnce         = time.Second // a connection that ends sooner was not let in
	dialsAtOnce    = 64
	silentPace     = 1500 // connections a second
	oneAddressPace = 10_000
	dripEvery      = 500 * time.Millisecond
	handshakeBit   = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // of a ClientHello of 508 bytes
	headerBit      = "GET /v1/head HTTP/1.1\r\nX-Slow: "
)

// A closing is how the server ended a connection.
type closing struct {
	After   time.Duration // since the client was ready for it; negative: never
	Refused bool          // at once
}

// A held is a connection that is watched until the server ends it.
type held struct {
	net.Conn
	since time.Time
}

// connect makes the connections of a job. One that fails because the server
// ended it was refused.
func (j floodJob) connect(ctx context.Context) (made []*held, refused int, err error) {
	dial, err := j.dialer()
	if err != nil {
		return nil, 0, err
	}
	pace := rate.NewLimiter(rate.Limit(j.Pace), 1)
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(dialsAtOnce)
	for i := range j.Count {
		if err := pace.Wait(ctx); err != nil {
			return nil, 0, err
		}
		all.Go(func() error {
			c, err := dial(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && endedByServer(err):
				refused++
			case err != nil:
				return err
			default:
				made = append(made, &held{c, time.Now()})
			}
			return nil
		})
	}
	return made, refused, all.Wait()
}

// dialer returns how connection i is made.
func (j floodJob) dialer() (func(ctx context.Context, i int) (net.Conn, error), error) {
	from := manyAddresses(j.Net)
	if j.Kind == oneAddressFlood {
		from = from[:1]
	}
	if j.Kind != headerFlood && j.Kind != idleFlood {
		return func(ctx context.Context, i int) (net.Conn, error) {
			return dialFrom(ctx, from[i%len(from)], j.Address)
		}, nil
	}
	sources, err := j.sources()
	return func(ctx context.Context, i int) (net.Conn, error) {
		c, err := dialTLS(ctx, sources[i%len(sources)], from[i%len(from)], j.Address)
		if err == nil && j.Kind == idleFlood {
			err = askOnce(ctx, c)
		}
		return c, err
	}, err
}

func (j floodJob) sources() ([]*identity.Source, error) {
	sources := make([]*identity.Source, 0, len(j.Identities))
	for _, dir := range j.Identities {
		source, err := identity.NewSource(identity.NewFolder(dir))
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// dialFrom connects to the registry from an address of this machine.
func dialFrom(ctx context.Context, from netip.Addr, to string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	return dialer.DialContext(ctx, "tcp", to)
}

// dialTLS connects as a node of the network.
func dialTLS(ctx context.Context, source *identity.Source, from netip.Addr, to string) (net.Conn, error) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: dialTimeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))},
		Config:    identity.ClientTLS(source, time.Now),
	}
	dialer.Config.NextProtos = []string{"http/1.1"}
	return dialer.DialContext(ctx, "tcp", to)
}

// watch waits until the server has ended each connection.
func watch(conns []*held, refused int) []closing {
	ended := make([]closing, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { ended[i] = c.wait() })
	}
	all.Wait()
	for range refused {
		ended = append(ended, closing{Refused: true})
	}
	return ended
}

// wait reads until the server ends the connection.
func (c *held) wait() closing {
	defer func() { _ = c.Close() }() // it was read to its end
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return closing{After: -1}
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		return closing{After: -1}
	}
	after := time.Since(c.since)
	return closing{After: after, Refused: after < atOnce}
}

// endedByServer reports whether a connection failed because the other side
// ended it.
func endedByServer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// drip writes begin to each connection and then a byte at a time, until stop
// is called or the server has ended it.
func drip(conns []*held, begin string) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			tick := time.NewTicker(dripEvery)
			defer tick.Stop()
			for text := begin; ; text = "a" {
				if _, err := io.WriteString(c, text); err != nil {
					return
				}
				select {
				case <-done:
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() { close(done); all.Wait() }
}

// askOnce asks for the head on a connection and reads the reply.
func askOnce(ctx context.Context, c net.Conn) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.RemoteAddr().String()+"/v1/head", nil)
	if err != nil {
		return err
	}
	if err := req.Write(c); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a question on a fresh connection: status %d", resp.StatusCode)
	}
	return nil
}
