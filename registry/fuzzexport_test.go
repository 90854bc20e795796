package registry

import (
	"context"
	"net/http"

	"github.com/neurons-me/netget/identity"
)

// ServeOne answers one request as if it had come by a connection of its own.
func ServeOne(s *Server, w http.ResponseWriter, r *http.Request) {
	ctx := context.WithValue(r.Context(), connKey{}, &conn{})
	s.handler().ServeHTTP(w, r.WithContext(ctx))
}

// AcceptsGzip reports whether the caller takes gzip.
func AcceptsGzip(r *http.Request) bool { return acceptsGzip(r) }

// NetworkOf returns the network of a server name, and whether a Host header
// names another; "" for none.
func NetworkOf(s *Server, sni, host string) (trustDomain string, another bool) {
	n := s.tenants.byName(sni)
	if n == nil {
		return "", false
	}
	return n.domain, s.tenants.misdirects(host, n)
}

// OpenMark reads the authority's reply to a report.
func OpenMark(status int, header http.Header, text []byte) (version int64, log identity.Hash, elsewhere bool, err error) {
	mark, elsewhere, err := openMark(status, header, text)
	return mark.Version, mark.Log, elsewhere, err
}
