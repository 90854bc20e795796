package connlimit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neurons-me/netget/internal/connlimit"
)

// roomy are limits that nothing here reaches.
func roomy() connlimit.Limits {
	return connlimit.Limits{Most: 1 << 20, PerAddress: 1 << 20, Rate: 1, Burst: 1 << 20}
}

// enter counts how many of n connections from host:port are let in.
func enter(l *connlimit.Limiter, remote string, n int) (in int, leave []func()) {
	for range n {
		if place, ok := l.Enter(remote, func() {}); ok {
			place.Keep()
			in++
			leave = append(leave, place.Leave)
		}
	}
	return in, leave
}

func TestConnectionsInAllAreBounded(t *testing.T) {
	limits := roomy()
	limits.Most = 3
	l := connlimit.New(limits)
	_, leave := enter(l, "192.0.2.1:1", 2)
	if got, _ := enter(l, "192.0.2.2:1", 2); got != 1 {
		t.Errorf("%d of 2 were let in, want 1", got)
	}
	if got := l.Refused(connlimit.Full); got != 1 {
		t.Errorf("%d are counted as refused, want 1", got)
	}
	leave[0]()
	leave[0]() // once is enough
	if got := l.Open(); got != 2 {
		t.Errorf("%d are open, want 2", got)
	}
	if got, _ := enter(l, "192.0.2.3:1", 2); got != 1 {
		t.Errorf("%d of 2 got the place that is free again, want 1", got)
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	limits := roomy()
	limits.PerAddress = 1
	l := connlimit.New(limits)
	for _, row := range []struct {
		from string
		in   bool
	}{
		{"[2001:db8::1]:1000", true},
		{"[2001:db8::1]:1001", false},
		{"[2001:db8::ffff:0:0:2]:1000", false},
		{"[2001:db8::3%eth0]:1000", false},
		{"[2001:db8:0:1::1]:1000", true},
		{"192.0.2.1:1000", true},
		{"[::ffff:192.0.2.1]:1000", false}, // the same
		{"192.0.2.2:1000", true},
		{"pipe", true},
		{"", false}, // no address either
	} {
		if _, ok := l.Enter(row.from, func() {}); ok != row.in {
			t.Errorf("%s: let in is %t, want %t", row.from, ok, row.in)
		}
	}
	if got := l.Refused(connlimit.PerAddress); got != 5 {
		t.Errorf("%d are counted as refused, want 5", got)
	}
}

// Handshakes cost: an address gets so many at once and then so many a second.
func TestHandshakesOfOneAddressAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := roomy()
		limits.Rate, limits.Burst = 5, 20
		l := connlimit.New(limits)
		come := func(from string, n, want int) {
			t.Helper()
			got, leave := enter(l, from, n)
			for _, out := range leave {
				out()
			}
			if got != want {
				t.Errorf("%d of %d were let in from %s, want %d", got, n, from, want)
			}
		}
		come("192.0.2.1:1", 100, 20)
		come("192.0.2.2:1", 20, 20) // somebody else
		time.Sleep(3 * time.Second)
		come("192.0.2.1:1", 100, 15)
		come("[2001:db8::1]:1", 15, 15)
		come("[2001:db8::2]:1", 100, 5) // of one site
		if got := l.Refused(connlimit.TooFast); got != 80+85+95 {
			t.Errorf("%d are counted as refused, want %d", got, 80+85+95)
		}
	})
}

func TestLoadBalancersAreExemptFromTheLimitsOfAnAddress(t *testing.T) {
	limits := connlimit.Limits{
		Most: 50, PerAddress: 1, Rate: 1, Burst: 1,
		LoadBalancers: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8:1::/48")},
	}
	l := connlimit.New(limits)
	for from, want := range map[string]int{
		"10.1.2.3:1": 10, "[::ffff:10.1.2.4]:1": 10, "[2001:db8:1:2::1%eth0]:1": 10,
		"10.2.0.1:1": 1, "[2001:db8:2::1]:1": 1,
	} {
		if got, _ := enter(l, from, 10); got != want {
			t.Errorf("%d of 10 were let in from %s, want %d", got, from, want)
		}
	}
	if got, _ := enter(l, "10.1.2.3:1", 50); got != 18 {
		t.Errorf("%d more were let in, want 18: a load balancer counts in the total", got)
	}
}

func TestAddressesThatAreRememberedAreBounded(t *testing.T) {
	l := connlimit.New(roomy())
	for i := range 3 * connlimit.MaxAddresses {
		_, leave := enter(l, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), 1)
		leave[0]()
	}
	if got := connlimit.Remembered(l); got > 2*connlimit.MaxAddresses {
		t.Errorf("%d addresses are remembered, want at most %d", got, 2*connlimit.MaxAddresses)
	}
	if got := l.Open(); got != 0 {
		t.Errorf("%d are open, want none", got)
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"192.0.2.1:1", "[2001:db8::1%eth0]:1", "[::ffff:192.0.2.1]:1", "", "pipe", "@", "1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		addr := connlimit.Address(remote)
		if addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("%q gives %s", remote, addr)
		}
		if addr.Is6() && addr != netip.PrefixFrom(addr, 64).Masked().Addr() {
			t.Errorf("%q gives %s, more than its network", remote, addr)
		}
	})
}
