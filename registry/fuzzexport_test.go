package registry

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/neurons-me/netget/discovery"
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

// A BeatForm is what was read of a heartbeat's body.
type BeatForm struct {
	RID, Token identity.Hash
	K          int64
	Receipt    bool
}

// ReadPlainBeat reads a heartbeat the short way; ok is false if that is not for
// it.
func ReadPlainBeat(body []byte) (form BeatForm, ok bool) {
	req, ok := parsePlainBeat(body)
	return formOf(req), ok
}

// ReadAnyBeat reads a heartbeat the long way.
func ReadAnyBeat(body []byte) (BeatForm, error) {
	var req beatRequest
	err := identity.UnmarshalStrict(body, &req)
	return formOf(req), err
}

func formOf(req beatRequest) BeatForm {
	f := BeatForm{RID: req.RID, Token: req.Token, Receipt: req.Receipt}
	if req.K != nil {
		f.K = *req.K
	}
	return f
}

// EncodeBeatReply returns a reply to a heartbeat as it is sent, and as
// encoding/json writes it.
func EncodeBeatReply(rid identity.Hash, status discovery.Status, time, version int64, late bool) (sent, plain []byte, err error) {
	r := &beatReply{RID: rid, Status: status, Time: time, Version: version, Late: late}
	sent, err = r.encode()
	if err != nil {
		return nil, nil, err
	}
	plain, err = json.Marshal(r)
	return sent, plain, err
}
