package netget_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// serveAuthority lets the authority renew certificates, also such as are over.
func (w *world) serveAuthority(t *testing.T) {
	t.Helper()
	key, leaf := w.ca.CAServer()
	shown := &tls.Certificate{Certificate: [][]byte{leaf.Raw, w.ca.NodeIssuer.Raw}, PrivateKey: key}
	s := httptest.NewUnstartedServer(http.HandlerFunc(w.renew))
	s.TLS = identity.ServerTLS(func(string) *identity.Tenant {
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return shown },
			Verify:     func(tls.ConnectionState) error { return nil }, ClientOptional: true,
		}
	})
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	w.caURL = s.URL
}

func (w *world) renew(rw http.ResponseWriter, r *http.Request) {
	if w.beforeRenewal != nil {
		w.beforeRenewal()
	}
	var q struct {
		CSR []byte `json:"csr"`
	}
	if r.URL.Path != "/v1/renew" || json.NewDecoder(r.Body).Decode(&q) != nil {
		http.NotFound(rw, r)
		return
	}
	csr, err := x509.ParseCertificateRequest(q.CSR)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	id, err := identity.ParseNodeID(r.TLS.PeerCertificates[0].URIs[0].String())
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	doc := w.ca.BundleDocument()
	for _, known := range w.registries {
		doc.Registries = append(doc.Registries, identity.RegistryEntry{Registry: known.id, Addresses: []string{known.url()}})
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(rw).Encode(struct {
		Certificate [][]byte `json:"certificate"`
		identity.BundleDocument
	}{[][]byte{w.ca.Leaf(id, csr.PublicKey).Raw, w.ca.NodeIssuer.Raw}, doc})
}

// lasting gives a node a certificate that began some time ago and ends soon.
func (w *world) lasting(t *testing.T, begun, left time.Duration) func(*identity.Identity) {
	t.Helper()
	return func(i *identity.Identity) {
		i.Credential = w.issue(t, i.ID(), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-begun), time.Now().Add(left)
		})
	}
}

func TestRenewedCertificateSignsTheRecordAnew(t *testing.T) {
	w := newWorld(t, "r1")
	w.serveAuthority(t)
	dir := w.folder(t, "svc", "n-1", w.lasting(t, time.Hour, 40*time.Minute)) // it is past its half
	before := load(t, dir).Credential.Thumbprint()
	registered := make(chan struct{})
	w.beforeRenewal = func() { <-registered }
	n := w.node(t, dir)
	r := register(t, n)
	close(registered)
	eventually(t, "a record under another certificate", func() bool {
		s := w.registries[0].listed(r.ID)
		return s != nil && s.Certificate().Thumbprint() != before
	})
	s := w.registries[0].listed(r.ID)
	if s.Epoch() != r.Epoch || s.Sequence() != r.Sequence+1 {
		t.Errorf("got epoch %d and sequence %d, want the next sequence after %+v", s.Epoch(), s.Sequence(), r)
	}
	if got := load(t, dir).Credential.Thumbprint(); got != s.Certificate().Thumbprint() {
		t.Error("the folder does not hold the certificate in use")
	}
}

func TestNodeThatWasOffForLongRenewsBeforeItRegisters(t *testing.T) {
	w := newWorld(t, "r1")
	w.serveAuthority(t)
	dir := w.folder(t, "svc", "n-1", w.lasting(t, 50*time.Second, -5*time.Second))
	register(t, w.node(t, dir))

	lost := w.folder(t, "svc", "n-2", w.lasting(t, 50*time.Second, -5*time.Second), func(i *identity.Identity) { i.Document.CA = "" })
	err := w.node(t, lost).RegisterWithNetwork(t.Context())
	if got := identity.CodeOf(err); got != identity.BadTime {
		t.Errorf("got error %v of class %q, want that the certificate has ended", err, got)
	}
	status, err := w.node(t, lost).Status(t.Context())
	if err != nil || status.Identity.State != "expired" {
		t.Errorf("got %+v, error %v; want an expired certificate", status.Identity, err)
	}
}
