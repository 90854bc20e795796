package registry_test

import (
	"net/http"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

func TestVectorsOfCertificates(t *testing.T) {
	labs, outer := map[string]*lab{}, t // by bundle
	eachVector(t, vectors.CertificatesFile, func(t *testing.T, v vectors.Certificate) {
		t.Helper()
		if v.Kind == "bundle" || v.Kind == "server" {
			return // nobody shows those to a server
		}
		if labs[string(v.Bundle)] == nil {
			labs[string(v.Bundle)] = newLab(outer, v.Bundle, vectorSigned)
		}
		l := labs[string(v.Bundle)].in(t)
		l.clock.Store(vectorSigned)
		if v.Now != 0 {
			l.clock.Store(v.Now)
		}
		caller, before := l.dial(v.Certificate, v.Issuer), l.holdings()
		if v.Kind == "client" && v.Class == "" {
			want(t, caller.get("/v1/head"), http.StatusOK)
			return
		}
		class := v.Class
		if class != identity.Revoked {
			class = identity.BadCert
		}
		l.shut(caller, caller.request(http.MethodGet, "/v1/head", nil), class)
		l.unchanged(before)
	})
}

// Of a connection that was made in time the certificate is judged again at every
// request.
func TestVectorsOfCertificatesWhileConnected(t *testing.T) {
	eachVector(t, vectors.CertificatesFile, func(t *testing.T, v vectors.Certificate) {
		t.Helper()
		if v.Kind != "client" || v.Class != identity.BadTime && v.Class != identity.Revoked {
			return
		}
		l := newLab(t, bundleWith(t), vectorIssued)
		caller := l.dial(v.Certificate, v.Issuer)
		want(t, caller.get("/v1/head"), http.StatusOK)
		l.clock.Store(v.Now)
		class := identity.BadCert
		if v.Class == identity.Revoked {
			class = v.Class
			l.trust(v.Bundle)
		}
		refused(t, caller.mustSend(caller.request(http.MethodGet, "/v1/head", nil)), statuses[class], class)
		if !caller.closed {
			t.Error("the connection lives on")
		}
	})
}
