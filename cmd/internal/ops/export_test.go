package ops

import "net"

// On returns a server that answers on connections of a test.
func On(l net.Listener) *Server { return &Server{l} }
