package pki

import (
	"crypto/tls"
	"net/http"
)

// The authority speaks HTTP/1.1 alone: its callers come seldom, with one
// question each, and every question more at once on a connection would be
// memory that a stranger holds.
const http1Name = "http/1.1" // RFC 7301 section 6

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// http1TLS makes c, and all that it chooses for a caller, offer nothing else.
func http1TLS(c *tls.Config) *tls.Config {
	choose := c.GetConfigForClient
	c.NextProtos = []string{http1Name}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		chosen, err := choose(hello)
		if chosen != nil {
			chosen.NextProtos = []string{http1Name}
		}
		return chosen, err
	}
	return c
}
