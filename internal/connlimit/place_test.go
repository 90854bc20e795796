package connlimit_test

import (
	"crypto/tls"
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/neurons-me/netget/internal/connlimit"
)

// A crowd is connections by their numbers, each from its own address.
type crowd struct {
	*connlimit.Limiter
	ended []int // in their order
}

func newCrowd(most int) *crowd {
	limits := roomy()
	limits.Most = most
	return &crowd{Limiter: connlimit.New(limits)}
}

// come lets connection n in; nil if it is not.
func (c *crowd) come(n int) *connlimit.Place {
	p, _ := c.Enter("192.0.2."+strconv.Itoa(n)+":1", func() { c.ended = append(c.ended, n) })
	return p
}

func (c *crowd) want(t *testing.T, ended ...int) {
	t.Helper()
	if !slices.Equal(c.ended, ended) {
		t.Errorf("the connections %v were ended, want %v", c.ended, ended)
	}
}

func TestTheOldestConnectionThatNothingKeepsMakesRoom(t *testing.T) {
	c := newCrowd(4)
	one := c.come(1)
	one.Keep()
	two := c.come(2)
	c.come(3)
	c.come(4)
	release := two.Hold()
	c.come(5)
	c.want(t, 3)
	release()
	c.come(6)
	c.come(7)
	c.want(t, 3, 4, 5) // who was worth a place until now waits as long as the others
	c.come(8)
	c.want(t, 3, 4, 5, 2)
	if got := c.Refused(connlimit.Displaced); got != 4 {
		t.Errorf("%d are counted as displaced, want 4", got)
	}
	if got := c.Open(); got != 4 {
		t.Errorf("%d are open, want 4", got)
	}
	two.Leave() // as its connection does when it was ended
	two.Keep()
	two.Hold()()
	if got := c.Open(); got != 4 {
		t.Errorf("%d are open after one has left twice, want 4", got)
	}
}

func TestNobodyMakesRoomForOneWhoMayNotCome(t *testing.T) {
	limits := roomy()
	limits.Most, limits.PerAddress = 2, 1
	l, ended := connlimit.New(limits), 0
	for _, from := range []string{"192.0.2.1:1", "192.0.2.2:1", "192.0.2.2:2", "192.0.2.1:2"} {
		l.Enter(from, func() { ended++ })
	}
	if ended != 0 || l.Refused(connlimit.PerAddress) != 2 {
		t.Errorf("%d were ended and %d refused, want 0 and 2", ended, l.Refused(connlimit.PerAddress))
	}
}

func TestAtMostHalfOfThePlacesAreHeld(t *testing.T) {
	c := newCrowd(4)
	var release []func()
	for n := range 4 {
		p := c.come(n)
		release = append(release, p.Hold(), p.Hold()) // twice is once
	}
	c.come(4)
	c.come(5)
	c.want(t, 2, 3)
	c.come(6).Hold()
	c.come(7)
	c.want(t, 2, 3, 4, 5) // held ones are still the first two
	for _, f := range release {
		f()
	}
	c.come(8).Hold()
	c.come(9).Hold()
	c.come(10)
	c.come(11)
	c.want(t, 2, 3, 4, 5, 6, 7, 0, 1)
}

// A connection whose place is given away ends, and tells no limiter twice.
func TestDisplacedConnectionsAreClosed(t *testing.T) {
	limits := roomy()
	limits.Most = 1
	l := connlimit.New(limits)
	incoming := one{make(chan net.Conn, 1)}
	listener := l.Listener(incoming)
	accept := func() (client, server net.Conn) {
		client, inner := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		incoming.incoming <- inner
		server, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	first, inside := accept()
	_, kept := accept()
	if _, err := first.Read(make([]byte, 1)); err == nil {
		t.Error("the connection that made room goes on")
	}
	_ = inside.Close()
	connlimit.PlaceOf(tls.Server(kept, nil)).Keep() //nolint:forbidigo // only to be looked through
	if _, in := l.Enter("192.0.2.1:1", func() {}); in {
		t.Error("a newcomer was let in although all are kept")
	}
	if open, full := l.Open(), l.Refused(connlimit.Full); open != 1 || full != 1 {
		t.Errorf("%d are open and %d were refused, want 1 and 1", open, full)
	}
	_ = kept.Close()
	if _, in := l.Enter("192.0.2.1:1", func() {}); !in {
		t.Error("the place of a kept connection that ended was not given away")
	}
	if connlimit.PlaceOf(first) != nil {
		t.Error("a connection that did not come this way has a place")
	}
}
