//go:build !linux

package testport

import "net"

// Hold returns the address with a port that was free a moment ago. Only Linux can
// keep it.
func Hold(address string) (held string, release func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), func() {}, l.Close()
}
