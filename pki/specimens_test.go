package pki_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/pki"
)

// A specimen is a certificate that an authority has made, as its readers get it.
type specimen struct {
	name           string
	chain          []*x509.Certificate // the certificate first, the root last
	key            crypto.Signer       // nil: not ours to know
	at             time.Time           // when it is looked at
	client, server bool                // what TLS it is good for
}

// leaf returns the certificate itself.
func (s specimen) leaf() *x509.Certificate { return s.chain[0] }

// specimens returns one certificate of each row of the table in
// docs/protocol.md section 2, renewed ones too, of a network with the usual
// names and of one with names of its own.
func specimens(t *testing.T) []specimen {
	t.Helper()
	own, err := pki.ParseExtras([]string{"example.org", "registry.internal.example"}, []string{"192.0.2.0/24", "2001:db8::1", "10.1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	all := specimensOf(t, pki.DefaultExtras())
	for _, s := range specimensOf(t, own) {
		s.name += " of a network with names of its own"
		all = append(all, s)
	}
	return all
}

func specimensOf(t *testing.T, extras pki.Extras) []specimen {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ca")
	if _, err := pki.Init(t.Context(), pki.InitConfig{Dir: dir, URL: publicURL, Extras: extras}); err != nil {
		t.Fatal(err)
	}
	w := serveWorld(t, dir, newClock(), nil)
	authority := func(name string) *x509.Certificate {
		return readCert(t, filepath.Join(dir, "networks", "development", name+".crt"))
	}
	root, node, registry := authority("root"), authority("node-issuer"), authority("registry-issuer")
	made := w.clock.Now()
	edCert, edKey := w.enrollEd25519(t)
	all := []specimen{
		{name: "root", chain: []*x509.Certificate{root}, at: made},
		{name: "node issuer", chain: []*x509.Certificate{node, root}, at: made},
		{name: "registry issuer", chain: []*x509.Certificate{registry, root}, at: made},
		{name: "authority's server", chain: []*x509.Certificate{serverCertificate(t, w), node, root}, at: made, server: true},
		{name: "service node, Ed25519", chain: []*x509.Certificate{edCert, node, root}, key: edKey, at: made, client: true, server: true},
	}
	of := func(service, kind string, m member) {
		serves := service == "billing" || service == "registry"
		all = append(all, specimen{service + kind, []*x509.Certificate{m.leaf(t), node, root}, m.key, w.clock.Now(), true, serves})
		if m.SigningCertificate != nil {
			signing := parse(t, m.SigningCertificate[0])
			all = append(all, specimen{service + kind + ", signing", []*x509.Certificate{signing, registry, root}, m.signingKey, w.clock.Now(), false, false})
		}
	}
	members := map[string]member{}
	for _, service := range []string{"billing", "client", "operator", "registry"} {
		r := pki.TokenRequest{Network: "development", Service: service, Node: "n1"}
		if service == "registry" {
			r.Addresses = []string{"https://192.0.2.7:8438", "https://r1.example.org:8438", "https://127.0.0.9:8438"}
		}
		members[service] = w.enroll(t, r)
		of(service, "", members[service])
	}
	w.clock.Advance(12 * time.Hour)
	for service, m := range members {
		next, got := w.renew(t, m)
		if got.status != http.StatusCreated {
			t.Fatalf("renewing: %d %s", got.status, got.body)
		}
		of(service, ", renewed", next)
	}
	return all
}

// enrollEd25519 takes a service node with an Ed25519 key through enrolment.
func (w *world) enrollEd25519(t *testing.T) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "ed-1"})
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token.Token, CSR: csrFor(t, key, x509.CertificateRequest{})})
	var e pki.Enrolment
	if err := json.Unmarshal(got.body, &e); err != nil || got.status != http.StatusCreated {
		t.Fatalf("enrolling: %d %s, %v", got.status, got.body, err)
	}
	return parse(t, e.Certificate[0]), key
}
