//go:build !linux && !darwin

package admin

import (
	"errors"
	"net"
)

// peerUID cannot be answered on this system, so nobody is let in.
func peerUID(*net.UnixConn) (uint32, error) {
	return 0, errors.New("this system does not tell who opened a socket")
}
