package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/healthwatch/probe"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testdrill"
)

// ownAddresses returns those of the machine of the test.
func ownAddresses(t *testing.T) (own []netip.Addr) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		own = append(own, netip.MustParsePrefix(a.String()).Addr())
	}
	return own
}

// A trap counts what comes to a listener on loopback, and what is dialled at
// all: all of that ends in the listener.
type trap struct {
	at       netip.AddrPort
	contacts atomic.Int32
	mu       sync.Mutex
	dialled  []string // guarded by mu
}

func newTrap(t *testing.T, address string) *trap {
	t.Helper()
	l := listen(t, address)
	tr := &trap{at: addrPort(l.Addr())}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.contacts.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return tr
}

// dial notes the address and connects to the trap.
func (tr *trap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	tr.mu.Lock()
	tr.dialled = append(tr.dialled, network+" "+address)
	tr.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, tr.at.String())
}

// wantUntouched comes itself and waits until that was counted, so that whoever
// came before was counted too. It returns how often that was, or was tried.
func (tr *trap) wantUntouched(t *testing.T) (times int) {
	t.Helper()
	c, err := net.Dial("tcp", tr.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Read(make([]byte, 1))
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if n := tr.contacts.Load(); n != 1 || len(tr.dialled) != 0 {
		t.Errorf("%d contacts, dialled %q; want none", n-1, tr.dialled)
	}
	return max(int(tr.contacts.Load())-1, len(tr.dialled))
}

// kinds are all that contact anybody.
func kinds() []identity.CheckType {
	return []identity.CheckType{identity.CheckTCP, identity.CheckMTLS, identity.CheckHTTP, identity.CheckHTTPS, identity.CheckGRPC}
}

// Of what policy forbids nothing is contacted, by no kind of probe, though
// --probe-allow allows every address: in the text of the record, and as what a
// name turns out to be.
func TestForbiddenTargetsAreNotContacted(t *testing.T) {
	everything := prefixes("0.0.0.0/0", "::/0")
	node := netip.MustParseAddr("198.51.100.7")
	rows := []struct {
		name  string
		addr  string
		allow []netip.Prefix
		port  int64 // 0: the trap's
	}{
		{"loopback outside development", "127.0.0.1", everything, 0},
		{"another address of loopback", "127.0.0.2", everything, 0},
		{"loopback of IPv6", "::1", everything, 0},
		{"loopback in its mapped form", "::ffff:127.0.0.1", everything, 0},
		{"loopback in its IPv4-compatible form", "::127.0.0.1", everything, 0},
		{"loopback through NAT64", "64:ff9b::127.0.0.1", everything, 0},
		{"loopback through local NAT64", "64:ff9b:1::127.0.0.1", everything, 0},
		{"loopback through 6to4", "2002:7f00:1::", everything, 0},
		{"loopback through Teredo", "2001::80ff:fffe", everything, 0},
		{"loopback through ISATAP", "2001:db8::5efe:127.0.0.1", everything, 0},
		{"unspecified", "0.0.0.0", everything, 0},
		{"unspecified of IPv6", "::", everything, 0},
		{"the metadata address", "169.254.169.254", everything, 0},
		{"the metadata address in its mapped form", "::ffff:169.254.169.254", everything, 0},
		{"the metadata address of IPv6", "fd00:ec2::254", everything, 0},
		{"link-local, though allowed by its own prefix", "169.254.7.7", prefixes("169.254.0.0/16"), 0},
		{"link-local of IPv6", "fe80::1", everything, 0},
		{"a scope", "fe80::1%lo", everything, 0},
		{"multicast", "224.0.0.1", everything, 0},
		{"multicast of IPv6", "ff02::1", everything, 0},
		{"broadcast", "255.255.255.255", everything, 0},
		{"another node's address", "198.51.100.8", nil, 0},
		{"a private address", "10.0.0.1", nil, 0},
		{"the registry's port", "192.0.2.1", everything, 8438},
		{"the registry's port by IPv6", "2001:db8::1", everything, 8438},
		{"the operations port", "192.0.2.1", everything, 8437},
	}
	contacts := 0
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			trap := newTrap(t, "127.0.0.1:0")
			lab := newProbeLab(t)
			resolver := &names{addrs: [][]netip.Addr{{netip.MustParseAddr(row.addr)}}}
			lab.prober.Policy, lab.prober.Resolver = machine(probe.Policy{Allow: row.allow}), resolver
			prober := lab.prober.WithDial(trap.dial)
			for _, kind := range kinds() {
				for _, address := range []string{row.addr, "name.example"} {
					target := lab.target(kind, trap.at)
					target.From, target.Endpoint.Address = node, address
					if row.port != 0 {
						target.Endpoint.Port = row.port
					}
					got := refusal(t, prober.Probe(t.Context(), target))
					if got == "" {
						t.Errorf("%s probe of %s: policy allows it", kind, address)
					}
					if address == "name.example" && got != "none of the addresses of its name may be probed" {
						t.Errorf("the refusal of a name tells what it stands for: %q", got)
					}
				}
			}
			contacts += trap.wantUntouched(t)
		})
	}
	testdrill.Say(t, "%s: %d targets that policy forbids, each by its address and by a name, with all 5 kinds of probes: %d contacts (limit 0)", testdrill.Verdict(contacts == 0), len(rows), contacts)
}

// What is no address cannot stand in a record. If it did, it would be a name,
// and what a resolver makes of it would be checked.
func TestOtherFormsOfAddressesAreNotContacted(t *testing.T) {
	addresses := []string{
		"2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.0.1.", "::ffff:127.0.0.1", "::FFFF:7F00:1", "0:0:0:0:0:0:0:1",
		"fe80::1%lo", "[::1]", "unix:/run/x", "unix:///run/x", "/run/x", "@x", "127.0.0.1:22", "user@127.0.0.1", "http://127.0.0.1", "localhost.", "LOCALHOST", "a..b", "", "*", "127。0。0。1",
	}
	contacts := 0
	for _, address := range addresses {
		t.Run(address, func(t *testing.T) {
			if identity.IsAddress(address) {
				t.Error("it can stand in a record")
			}
			trap := newTrap(t, "127.0.0.1:0")
			lab := newProbeLab(t)
			lab.prober.Policy = machine(probe.Policy{Allow: prefixes("0.0.0.0/0", "::/0")})
			lab.prober.Resolver = &names{addrs: [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}}}
			for _, kind := range kinds() {
				target := lab.target(kind, trap.at)
				target.Endpoint.Address = address
				if refusal(t, lab.prober.WithDial(trap.dial).Probe(t.Context(), target)) == "" {
					t.Errorf("%s: policy allows it", kind)
				}
			}
			contacts += trap.wantUntouched(t)
		})
	}
	testdrill.Say(t, "%s: %d other forms of addresses: %d contacts (limit 0)", testdrill.Verdict(contacts == 0), len(addresses), contacts)
}

// A name that has another address the next time it is looked up is looked up
// once only; a proxy of the environment is not used.
func TestProbeDialsWhatWasChecked(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://198.51.100.99:3128")
	}
	for _, kind := range kinds() {
		t.Run(string(kind), func(t *testing.T) {
			trap := newTrap(t, "127.0.0.1:0")
			lab := newProbeLab(t)
			resolver := &names{addrs: [][]netip.Addr{{netip.MustParseAddr("::ffff:198.51.100.7")}, {netip.MustParseAddr("169.254.169.254")}}}
			lab.prober.Policy, lab.prober.Resolver = machine(probe.Policy{}), resolver
			target := lab.target(kind, netip.MustParseAddrPort("198.51.100.7:5432"))
			target.Endpoint.Address = "rebinding.example"
			_ = lab.prober.WithDial(trap.dial).Probe(t.Context(), target)
			if n := resolver.lookups.Load(); n != 1 {
				t.Errorf("looked up %d times", n)
			}
			if diff := cmp.Diff([]string{"tcp 198.51.100.7:5432"}, trap.dialled); diff != "" {
				t.Errorf("dialled (-want +got):\n%s", diff)
			}
			if kind != identity.CheckTCP {
				return
			}
			if refusal(t, lab.prober.WithDial(trap.dial).Probe(t.Context(), target)) == "" {
				t.Error("the address of the second look-up may be contacted")
			}
			if len(trap.dialled) != 1 {
				t.Errorf("dialled %q", trap.dialled)
			}
		})
	}
}

// Of a name with good and bad addresses only a good one is contacted, and first
// that from which the node connects.
func TestOnlyGoodAddressesOfANameAreContacted(t *testing.T) {
	bad := newTrap(t, "127.0.0.2:0")
	rows := map[string]struct {
		addrs []string
		want  string
	}{
		"the bad one first":           {[]string{"127.0.0.2", "198.51.100.7"}, "tcp 198.51.100.7:"},
		"the bad one last":            {[]string{"198.51.100.7", "127.0.0.2"}, "tcp 198.51.100.7:"},
		"one that is merely allowed":  {[]string{"127.0.0.2", "::ffff:10.1.2.3", "10.1.2.4"}, "tcp 10.1.2.3:"},
		"the node's own before these": {[]string{"10.1.2.3", "127.0.0.2", "::ffff:198.51.100.7"}, "tcp 198.51.100.7:"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			good := newTrap(t, "127.0.0.1:0")
			lab := newProbeLab(t).patient()
			var addrs []netip.Addr
			for _, a := range row.addrs {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			lab.prober.Policy, lab.prober.Resolver = machine(probe.Policy{Allow: prefixes("10.1.0.0/16")}), &names{addrs: [][]netip.Addr{addrs}}
			target := lab.target(identity.CheckTCP, bad.at)
			target.From, target.Endpoint.Address = netip.MustParseAddr("198.51.100.7"), "both.example"
			wantProbe(t, lab.prober.WithDial(good.dial).Probe(t.Context(), target), "")
			_, port, _ := net.SplitHostPort(bad.at.String())
			if diff := cmp.Diff([]string{row.want + port}, good.dialled); diff != "" {
				t.Errorf("dialled (-want +got):\n%s", diff)
			}
		})
	}
	bad.wantUntouched(t)
}

func TestRedirectIsNotFollowed(t *testing.T) {
	lab := newProbeLab(t).patient()
	elsewhere := newTrap(t, "127.0.0.3:0")
	for _, location := range []string{"http://" + elsewhere.at.String() + "/", "http://169.254.169.254/latest/meta-data/", "//" + elsewhere.at.String(), "/x"} {
		redirect := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.Header().Set("Refresh", "0; url="+location)
			w.Header().Set("Alt-Svc", `h2="`+elsewhere.at.String()+`"`)
			w.WriteHeader(http.StatusFound)
		}
		wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckHTTP, serve(t, nil, redirect))), "HTTP status 302")
		for _, protocol := range []string{"h2", "http/1.1"} {
			at := serve(t, nodeTLS(lab.ca.Issue(lab.node).TLS(), protocol), redirect)
			wantProbe(t, lab.prober.Probe(t.Context(), lab.target(identity.CheckHTTPS, at)), "HTTP status 302")
		}
	}
	elsewhere.wantUntouched(t)
}

func TestNodeThatAsksForNoProbesIsNotContacted(t *testing.T) {
	lab, trap := newProbeLab(t), newTrap(t, "127.0.0.1:0")
	err := lab.prober.WithDial(trap.dial).Probe(t.Context(), lab.target(identity.CheckNone, trap.at))
	if got, want := refusal(t, err), "its record asks for no probes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	trap.wantUntouched(t)
}
