package probe_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/neurons-me/netget/healthwatch/probe"
)

func prefixes(all ...string) (p []netip.Prefix) {
	for _, s := range all {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// machine is a registry at 192.0.2.1 and 2001:db8::1.
func machine(p probe.Policy) probe.Policy {
	p.OwnPorts = []int64{8438, 8437}
	p.OwnAddresses = func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.3")}, nil
	}
	return p
}

// refusal returns why policy refuses; "" if it does not.
func refusal(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*probe.RefusedError](err)
	if !ok {
		t.Fatalf("got %v, want a refusal by policy", err)
	}
	return refused.Reason
}

func TestPolicy(t *testing.T) {
	outside := machine(probe.Policy{})
	dev := machine(probe.Policy{Loopback: true})
	all := machine(probe.Policy{Allow: prefixes("0.0.0.0/0", "::/0")})
	some := machine(probe.Policy{Allow: prefixes("10.1.0.0/16", "2001:db8:1::/48")})
	const notFrom = " is not the address from which the node connects, 192.0.2.7, nor allowed by --probe-allow"
	rows := []struct {
		name   string
		policy probe.Policy
		addr   string
		port   int64
		from   string // "" means not known
		want   string // "" means allowed
	}{
		{"allows where the node connects from", outside, "192.0.2.7", 5432, "192.0.2.7", ""},
		{"allows where the node connects from, in another form", outside, "192.0.2.7", 5432, "::ffff:192.0.2.7", ""},
		{"allows where the node connects from, by IPv6", outside, "2001:db8::7", 5432, "2001:db8::7", ""},
		{"allows the machine's own address to a node on it", outside, "192.0.2.1", 5432, "192.0.2.1", ""},
		{"allows a registry's port elsewhere", outside, "192.0.2.7", 8438, "192.0.2.7", ""},
		{"allows what the network's policy adds", some, "10.1.2.3", 5432, "192.0.2.7", ""},
		{"allows what the network's policy adds before the node is known", some, "10.1.2.3", 5432, "", ""},
		{"allows what the network's policy adds, by IPv6", some, "2001:db8:1::7", 5432, "192.0.2.7", ""},
		{"allows NAT64 of what is public", all, "64:ff9b::c633:6407", 5432, "", ""},
		{"allows loopback in development", dev, "127.0.0.1", 5432, "", ""},
		{"allows all of loopback in development", dev, "127.9.9.9", 5432, "192.0.2.7", ""},
		{"allows loopback of IPv6 in development", dev, "::1", 5432, "", ""},

		{"refuses another address", outside, "192.0.2.8", 5432, "192.0.2.7", "192.0.2.8" + notFrom},
		{"refuses another address in development", dev, "192.0.2.8", 5432, "192.0.2.7", "192.0.2.8" + notFrom},
		{"refuses what is beside the policy's addition", some, "10.2.0.1", 5432, "192.0.2.7", "10.2.0.1" + notFrom},
		{"refuses a node that is not known", outside, "192.0.2.7", 5432, "", "192.0.2.7: the address from which the node connects is not known yet"},
		{"refuses no address", all, "", 5432, "", "invalid IP is no address of a node"},

		{"refuses loopback", outside, "127.0.0.1", 5432, "127.0.0.1", "127.0.0.1 is of this machine itself"},
		{"refuses loopback though everything is allowed", all, "127.0.0.1", 5432, "127.0.0.1", "127.0.0.1 is of this machine itself"},
		{"refuses all of loopback", all, "127.255.0.9", 5432, "", "127.255.0.9 is of this machine itself"},
		{"refuses loopback of IPv6", all, "::1", 5432, "::1", "::1 is of this machine itself"},
		{"refuses loopback in its mapped form", all, "::ffff:127.0.0.1", 5432, "::ffff:127.0.0.1", "127.0.0.1 is of this machine itself"},
		{"refuses loopback through NAT64", all, "64:ff9b::7f00:1", 5432, "", "64:ff9b::7f00:1 leads to 127.0.0.1, which is of this machine itself"},

		{"refuses unspecified", all, "0.0.0.0", 5432, "0.0.0.0", "0.0.0.0 is unspecified"},
		{"refuses unspecified in development", dev, "0.0.0.0", 5432, "127.0.0.1", "0.0.0.0 is unspecified"},
		{"refuses this network", all, "0.1.2.3", 5432, "", "0.1.2.3 is unspecified"},
		{"refuses unspecified of IPv6", all, "::", 5432, "::", ":: is unspecified"},
		{"refuses unspecified in its mapped form", dev, "::ffff:0.0.0.0", 5432, "", "0.0.0.0 is unspecified"},
		{"refuses unspecified through NAT64", all, "64:ff9b::", 5432, "", "64:ff9b:: leads to 0.0.0.0, which is unspecified"},

		{"refuses link-local", all, "169.254.7.7", 5432, "169.254.7.7", "169.254.7.7 is link-local"},
		{"refuses link-local of IPv6", all, "fe80::1", 5432, "fe80::1", "fe80::1 is link-local"},
		{"refuses link-local in its mapped form", all, "::ffff:169.254.169.254", 80, "", "169.254.169.254 is link-local"},
		{"refuses link-local through NAT64", all, "64:ff9b::a9fe:a9fe", 80, "", "64:ff9b::a9fe:a9fe leads to 169.254.169.254, which is link-local"},
		{"refuses a scope", all, "2001:db8::7%eth0", 5432, "2001:db8::7", "2001:db8::7 is no address of a node"},
		{"refuses a scoped link-local address", all, "fe80::1%eth0", 5432, "fe80::1%eth0", "fe80::1 is no address of a node"},

		{"refuses Amazon's metadata", all, "fd00:ec2::254", 80, "fd00:ec2::254", "fd00:ec2::254 is a cloud's metadata address"},
		{"refuses Amazon's credentials for containers", all, "fd00:ec2::23", 80, "", "fd00:ec2::23 is a cloud's metadata address"},
		{"refuses Google's metadata", all, "fd20:ce::254", 80, "", "fd20:ce::254 is a cloud's metadata address"},
		{"refuses Scaleway's metadata", all, "fd00:42::42", 80, "", "fd00:42::42 is a cloud's metadata address"},
		{"refuses Alibaba's metadata", all, "100.100.100.200", 80, "", "100.100.100.200 is a cloud's metadata address"},
		{"refuses Oracle's metadata", all, "192.0.0.192", 80, "", "192.0.0.192 is a cloud's metadata address"},
		{"refuses Azure's metadata", all, "168.63.129.16", 80, "168.63.129.16", "168.63.129.16 is a cloud's metadata address"},

		{"refuses multicast", all, "224.0.0.1", 5432, "", "224.0.0.1 is of more than one machine"},
		{"refuses multicast of IPv6", all, "ff02::1", 5432, "", "ff02::1 is of more than one machine"},
		{"refuses broadcast", all, "255.255.255.255", 5432, "", "255.255.255.255 is of more than one machine"},

		{"refuses IPv4-compatible addresses", all, "::7f00:1", 5432, "::7f00:1", "::7f00:1 is a tunnel to another address"},
		{"refuses IPv4-compatible addresses in development", dev, "::7f00:1", 5432, "::7f00:1", "::7f00:1 is a tunnel to another address"},
		{"refuses IPv4-translated addresses", all, "::ffff:0:7f00:1", 5432, "", "::ffff:0:7f00:1 is a tunnel to another address"},
		{"refuses NAT64 of local use", all, "64:ff9b:1:7f00:0:100::", 5432, "", "64:ff9b:1:7f00:0:100:: is a tunnel to another address"},
		{"refuses 6to4", all, "2002:7f00:1::1", 5432, "2002:7f00:1::1", "2002:7f00:1::1 is a tunnel to another address"},
		{"refuses Teredo", all, "2001:0:c000:201::80ff:fffe", 5432, "", "2001:0:c000:201::80ff:fffe is a tunnel to another address"},
		{"refuses ISATAP", all, "2001:db8::5efe:7f00:1", 5432, "2001:db8::5efe:7f00:1", "2001:db8::5efe:7f00:1 is a tunnel to another address"},
		{"refuses ISATAP of a public address", all, "2001:db8::200:5efe:c633:6407", 5432, "", "2001:db8::200:5efe:c633:6407 is a tunnel to another address"},

		{"refuses the registry's port", all, "192.0.2.1", 8438, "192.0.2.1", "192.0.2.1:8438 is a port of the registry"},
		{"refuses the operations port", all, "192.0.2.1", 8437, "192.0.2.1", "192.0.2.1:8437 is a port of the registry"},
		{"refuses the registry's port by IPv6", all, "2001:db8::1", 8438, "", "[2001:db8::1]:8438 is a port of the registry"},
		{"refuses the registry's port in its mapped form", all, "::ffff:192.0.2.1", 8438, "", "192.0.2.1:8438 is a port of the registry"},
		{"refuses the registry's port where the kernel said the mapped form", all, "192.0.2.3", 8438, "", "192.0.2.3:8438 is a port of the registry"},
		{"refuses the registry's port through NAT64", all, "64:ff9b::c000:201", 8438, "", "192.0.2.1:8438 is a port of the registry"},
		{"refuses the registry's port on loopback in development", dev, "127.0.0.1", 8438, "127.0.0.1", "127.0.0.1:8438 is a port of the registry"},
		{"refuses the registry's port on any loopback address", dev, "127.8.8.8", 8437, "127.0.0.1", "127.8.8.8:8437 is a port of the registry"},
		{"refuses the registry's port on loopback of IPv6", dev, "::1", 8438, "::1", "[::1]:8438 is a port of the registry"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var addr, from netip.Addr
			if row.addr != "" {
				addr = netip.MustParseAddr(row.addr)
			}
			if row.from != "" {
				from = netip.MustParseAddr(row.from)
			}
			if got := refusal(t, row.policy.Check(addr, row.port, from)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// Where the kernel does not say which addresses are the registry's, its ports
// are contacted nowhere.
func TestPolicyWithoutOwnAddresses(t *testing.T) {
	p := machine(probe.Policy{})
	p.OwnAddresses = func() ([]netip.Addr, error) { return nil, errors.New("no netlink") }
	node := netip.MustParseAddr("192.0.2.7")
	wantOwnFault(t, p.Check(node, 8438, node), "the addresses of this machine are not known: no netlink")
	if err := p.Check(node, 5432, node); err != nil {
		t.Errorf("another port: %v", err)
	}
}

// Without OwnAddresses the kernel is asked.
func TestPolicyKnowsItsMachine(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	p := probe.Policy{Loopback: true, OwnPorts: []int64{8438}}
	if got, want := refusal(t, p.Check(loopback, 8438, loopback)), "127.0.0.1:8438 is a port of the registry"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, own := range ownAddresses(t) {
		if own.IsLoopback() || own.IsLinkLocalUnicast() {
			continue
		}
		if got, want := refusal(t, p.Check(own, 8438, own)), netip.AddrPortFrom(own, 8438).String()+" is a port of the registry"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := p.Check(own, 5432, own); err != nil {
			t.Errorf("another port of %s: %v", own, err)
		}
	}
}
