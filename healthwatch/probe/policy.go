package probe

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// A Policy says which addresses a registry may contact to probe nodes
// (docs/protocol.md section 6): that from which the node connects and those of
// Allow, but never one that belongs to no single node, to the network's
// equipment or to the registry itself.
type Policy struct {
	Allow    []netip.Prefix
	Loopback bool    // for development: this machine may be contacted
	OwnPorts []int64 // of the registry, on any address of this machine
	// OwnAddresses returns those of this machine. nil: asks the kernel.
	OwnAddresses func() ([]netip.Addr, error)
}

// Check refuses, with a [*RefusedError], an address that a node which connects
// from another one may not have probed; with an [*OwnFaultError] where it cannot
// tell.
func (p Policy) Check(addr netip.Addr, port int64, from netip.Addr) error {
	addr, from = addr.Unmap(), from.Unmap()
	reached := destination(addr)
	if err := p.checkOwn(reached, port); err != nil {
		return err
	}
	if kind := p.forbidden(addr); kind != "" {
		return refuse("%s is %s", addr.WithZone(""), kind)
	}
	if kind := p.forbidden(reached); kind != "" {
		return refuse("%s leads to %s, which is %s", addr, reached, kind)
	}
	if addr.IsLoopback() || addr == from || slices.ContainsFunc(p.Allow, func(a netip.Prefix) bool { return a.Contains(addr) }) {
		return nil
	}
	if !from.IsValid() {
		return refuse("%s: the address from which the node connects is not known yet", addr)
	}
	return refuse("%s is not the address from which the node connects, %s, nor allowed by --probe-allow", addr, from)
}

// forbidden returns what an address is that is never contacted; "" for others.
func (p Policy) forbidden(addr netip.Addr) string {
	if addr.IsLoopback() && !p.Loopback {
		return "of this machine itself"
	}
	return reserved(addr)
}

// checkOwn refuses the ports of the registry.
func (p Policy) checkOwn(addr netip.Addr, port int64) error {
	if !slices.Contains(p.OwnPorts, port) {
		return nil
	}
	own, err := p.isOwn(addr)
	if err != nil {
		return &OwnFaultError{printable("the addresses of this machine are not known: " + err.Error())}
	}
	if own {
		return refuse("%s is a port of the registry", netip.AddrPortFrom(addr, uint16(port))) //nolint:gosec // a port
	}
	return nil
}

// isOwn reports whether an address is one of this machine.
func (p Policy) isOwn(addr netip.Addr) (bool, error) {
	if addr.IsLoopback() {
		return true, nil
	}
	ask := p.OwnAddresses
	if ask == nil {
		ask = ownAddresses
	}
	all, err := ask()
	return slices.ContainsFunc(all, func(own netip.Addr) bool { return own.Unmap().WithZone("") == addr }), err
}

func ownAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, prefix.Addr())
		}
	}
	return own, nil
}

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }
