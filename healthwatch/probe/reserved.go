package probe

import (
	"net/netip"
	"slices"
)

// reserved returns what an address is that no node can have, or that it is no
// good sign to ask for; "" for others. Loopback is not looked at.
func reserved(addr netip.Addr) string {
	switch {
	case !addr.IsValid() || addr.Zone() != "":
		return "no address of a node"
	case addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0: // "this network", RFC 1122
		return "unspecified"
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "of more than one machine"
	case addr.IsLinkLocalUnicast():
		return "link-local"
	case within(addr, metadata()):
		return "a cloud's metadata address"
	case !addr.IsLoopback() && (within(addr, tunnels()) || isISATAP(addr)):
		return "a tunnel to another address"
	}
	return ""
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// metadata is where clouds tell their machines secrets, beside link-local
// addresses.
func metadata() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("fd00:ec2::/32"),      // Amazon
		netip.MustParsePrefix("fd20:ce::254/128"),   // Google
		netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway
		netip.MustParsePrefix("100.100.100.200/32"), // Alibaba
		netip.MustParsePrefix("192.0.0.192/32"),     // Oracle
		netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	}
}

// tunnels are IPv6 addresses by which some routers reach an IPv4 address. Nobody
// needs them to name a node.
func tunnels() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("::/96"),           // IPv4-compatible, RFC 4291
		netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated, RFC 2765
		netip.MustParsePrefix("64:ff9b:1::/48"),  // NAT64 of local use, RFC 8215: where it holds the address is not known here
		netip.MustParsePrefix("2001::/32"),       // Teredo, RFC 4380
		netip.MustParsePrefix("2002::/16"),       // 6to4, RFC 3056
	}
}

// isISATAP looks for an interface identifier of RFC 5214 section 6.1.
func isISATAP(addr netip.Addr) bool {
	b := addr.As16()
	return addr.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// destination returns the IPv4 address to which the NAT64 of RFC 6052 translates
// an address, which registries without IPv4 need for names; other addresses
// lead to themselves.
func destination(addr netip.Addr) netip.Addr {
	if !netip.MustParsePrefix("64:ff9b::/96").Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}
