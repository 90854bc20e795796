package pki

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/neurons-me/netget/identity"
)

// Extras are the names beyond its trust domain that a network's servers may
// carry. They are fixed for good when the network is made, because they stand
// in the critical name constraints of its node issuer.
type Extras struct {
	DNS []string       `yaml:"dns"` // lower-case DNS names; names below them are permitted too
	IPs []netip.Prefix `yaml:"ips"` // masked prefixes; a single address has all its bits
}

// DefaultExtras returns localhost, 127.0.0.0/8 and ::1.
func DefaultExtras() Extras {
	return Extras{
		DNS: []string{"localhost"},
		IPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	}
}

// ParseExtras reads DNS names, and IP addresses or prefixes in CIDR form. A
// list that is nil becomes that of [DefaultExtras]. A name or address of
// wrong form is [identity.Malformed].
func ParseExtras(dns, ips []string) (Extras, error) {
	extras := DefaultExtras()
	if dns != nil {
		extras.DNS = make([]string, 0, len(dns))
	}
	for _, name := range dns {
		folded := identity.FoldName(name)
		if !isDNSName(folded) {
			return Extras{}, identity.Refuse(identity.Malformed, "%q is not a DNS name", clip(name))
		}
		extras.DNS = append(extras.DNS, folded)
	}
	if ips != nil {
		extras.IPs = make([]netip.Prefix, 0, len(ips))
	}
	for _, text := range ips {
		prefix, err := parsePrefix(text)
		if err != nil {
			return Extras{}, identity.Refuse(identity.Malformed, "%q is neither an IP address nor a prefix", clip(text))
		}
		extras.IPs = append(extras.IPs, prefix)
	}
	slices.Sort(extras.DNS)
	extras.DNS = slices.Compact(extras.DNS)
	slices.SortFunc(extras.IPs, netip.Prefix.Compare)
	extras.IPs = slices.Compact(extras.IPs)
	return extras, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		return prefix.Masked(), err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addr.Unmap().WithZone("").Prefix(addr.Unmap().BitLen())
}

// permitsIP reports whether a certificate of the network may carry addr.
func (e Extras) permitsIP(addr netip.Addr) bool {
	return slices.ContainsFunc(e.IPs, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// permitsDNS reports whether name is an extra or lies below one.
func (e Extras) permitsDNS(name string) bool {
	return slices.ContainsFunc(e.DNS, func(extra string) bool {
		return name == extra || strings.HasSuffix(name, "."+extra)
	})
}

// addresses returns the addresses that a server of the network can carry
// without being told its own: every single address, and 127.0.0.1 for a prefix
// that holds it.
func (e Extras) addresses() []netip.Addr {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	var addrs []netip.Addr
	for _, prefix := range e.IPs {
		switch {
		case prefix.IsSingleIP():
			addrs = append(addrs, prefix.Addr())
		case prefix.Contains(loopback):
			addrs = append(addrs, loopback)
		}
	}
	return addrs
}

// ipNets returns the prefixes in the form of crypto/x509.
func (e Extras) ipNets() []*net.IPNet {
	nets := make([]*net.IPNet, 0, len(e.IPs))
	for _, p := range e.IPs {
		nets = append(nets, &net.IPNet{
			IP:   p.Addr().AsSlice(),
			Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		})
	}
	return nets
}

// overlaps reports whether one of the names reaches into td, or td lies below
// one of them: such an extra would let a network's issuer speak for another.
func (e Extras) overlaps(td identity.TrustDomain) bool {
	domain := td.String()
	return slices.ContainsFunc(e.DNS, func(extra string) bool {
		return extra == domain || strings.HasSuffix(extra, "."+domain) || strings.HasSuffix(domain, "."+extra)
	})
}

// isDNSName reports whether s is a lower-case DNS name whose last label begins
// with a letter, so that no address reads as one.
func isDNSName(s string) bool {
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	return len(s) <= 253 && !slices.ContainsFunc(labels, isNoLabel) && last[0] >= 'a'
}

func isNoLabel(s string) bool {
	outside := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' || strings.ContainsFunc(s, outside)
}
