package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/neurons-me/netget/identity"
)

// A Resolver looks names up, and gives up when ctx ends; [net.Resolver] is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// resolve returns an address of an endpoint that may be contacted. A name is
// looked up once, so that what was checked is what is dialled. The address from
// which the node connects comes first. A refusal does not tell which addresses a
// name has: it may be one of the registry's own surroundings.
func (p Policy) resolve(ctx context.Context, r Resolver, e identity.Endpoint, from netip.Addr) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(e.Address); err == nil {
		return p.checked(addr, e.Port, from)
	}
	addrs, err := lookUp(ctx, r, e.Address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == from.Unmap() }) {
		addrs = append([]netip.Addr{from}, addrs...)
	}
	refused := refuse("none of the addresses of its name may be probed")
	for _, addr := range addrs {
		good, err := p.checked(addr, e.Port, from)
		if err == nil {
			return good, nil
		}
		if own, ok := errors.AsType[*OwnFaultError](err); ok {
			refused = own
		}
	}
	return netip.AddrPort{}, refused
}

// checked returns an address that may be contacted.
func (p Policy) checked(addr netip.Addr, port int64, from netip.Addr) (netip.AddrPort, error) {
	if err := p.Check(addr, port, from); err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil //nolint:gosec // a port
}

// lookUp returns the addresses of a name, at least one. What the resolver says of
// itself is not for nodes.
func lookUp(ctx context.Context, r Resolver, host string) ([]netip.Addr, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound || err == nil && len(addrs) == 0 {
		return nil, find("the name has no address")
	}
	if err != nil {
		return nil, &OwnFaultError{"the name could not be looked up"}
	}
	return addrs, nil
}
