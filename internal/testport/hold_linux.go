package testport

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Hold keeps the port of an IPv4 address, such as "127.0.0.1:0" for any, until
// release is called, and returns the address with its port. Nobody who asks for any
// port gets it. Connections are refused until somebody listens there, which this and
// other processes may do, as long as they share it as servers of Go do
// (SO_REUSEADDR, socket(7)).
func Hold(address string) (held string, release func(), err error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !ap.Addr().Is4() {
		return "", nil, fmt.Errorf("%q is not an IPv4 address with a port", address)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("holding %s: %w", address, err)
	}
	release = func() { _ = syscall.Close(fd) } // nothing was written
	port, err := bind(fd, ap)
	if err != nil {
		release()
		return "", nil, fmt.Errorf("holding %s: %w", address, err)
	}
	return netip.AddrPortFrom(ap.Addr(), port).String(), release, nil
}

// bind binds a socket that shares its address, and returns the port.
func bind(fd int, ap netip.AddrPort) (uint16, error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}); err != nil {
		return 0, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	bound, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("bound to %T", name)
	}
	return uint16(bound.Port), nil //nolint:gosec // a port has 16 bits
}
