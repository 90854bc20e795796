package pki_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/pki"
)

const (
	registryOID = "2.25.610837421.1"
	td          = "development.netget.internal"
)

func readCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return parse(t, block.Bytes)
}

// A look is what a certificate says, field by field.
type look struct {
	URIs, DNS, IPs, Usages []string
	CN                     string
	KeyUsage               x509.KeyUsage
	IsCA                   bool
	Life                   time.Duration // from the moment of signing
}

func lookAt(c *x509.Certificate, made time.Time) look {
	l := look{DNS: c.DNSNames, CN: c.Subject.CommonName, KeyUsage: c.KeyUsage, IsCA: c.IsCA, Life: c.NotAfter.Sub(made)}
	for _, u := range c.URIs {
		l.URIs = append(l.URIs, u.String())
	}
	for _, ip := range c.IPAddresses {
		l.IPs = append(l.IPs, ip.String())
	}
	for _, u := range c.ExtKeyUsage {
		switch u { //nolint:exhaustive // the others have no place here
		case x509.ExtKeyUsageClientAuth:
			l.Usages = append(l.Usages, "client")
		case x509.ExtKeyUsageServerAuth:
			l.Usages = append(l.Usages, "server")
		default:
			l.Usages = append(l.Usages, "other")
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		l.Usages = append(l.Usages, oid.String())
	}
	slices.Sort(l.Usages)
	return l
}

func TestProfiles(t *testing.T) {
	w := newWorld(t, "development")
	made := w.clock.Now()
	leaf := func(l look) look {
		l.KeyUsage = x509.KeyUsageDigitalSignature
		return l
	}
	node := w.enroll(t, pki.TokenRequest{Network: "development", Service: "billing", Node: "b1"})
	client := w.enroll(t, pki.TokenRequest{Network: "development", Service: "client", Node: "c1"})
	operator := w.enroll(t, pki.TokenRequest{Network: "development", Service: "operator", Node: "o1"})
	registry := w.enroll(t, pki.TokenRequest{
		Network: "development", Service: "registry", Node: "r1",
		Addresses: []string{"https://127.0.0.9:8438", "https://dns.localhost:8438", "https://example.org:8438", "https://192.0.2.1:8438"},
	})
	server := serverCertificate(t, w)
	for name, tt := range map[string]struct {
		cert, issuer *x509.Certificate
		want         look
	}{
		"service node": {node.leaf(t), nil, leaf(look{
			URIs: []string{"spiffe://" + td + "/billing/b1"}, DNS: []string{"b1.billing." + td, "billing." + td},
			Usages: []string{"client", "server"}, Life: 24 * time.Hour,
		})},
		"client": {client.leaf(t), nil, leaf(look{
			URIs: []string{"spiffe://" + td + "/client/c1"}, Usages: []string{"client"}, Life: 24 * time.Hour,
		})},
		"operator": {operator.leaf(t), nil, leaf(look{
			URIs: []string{"spiffe://" + td + "/operator/o1"}, Usages: []string{"client"}, Life: 24 * time.Hour,
		})},
		"registry, TLS": {registry.leaf(t), nil, leaf(look{
			URIs: []string{"spiffe://" + td + "/registry/r1"},
			DNS:  []string{"r1.registry." + td, "registry." + td, "localhost", "dns.localhost"},
			IPs:  []string{"127.0.0.1", "::1", "127.0.0.9"}, Usages: []string{"client", "server"}, Life: 24 * time.Hour,
		})},
		"registry, signing": {parse(t, registry.SigningCertificate[0]), parse(t, registry.SigningCertificate[1]), leaf(look{
			URIs: []string{"spiffe://" + td + "/registry/r1"}, Usages: []string{registryOID}, Life: 30 * 24 * time.Hour,
		})},
		"authority's server": {server, nil, leaf(look{
			DNS: []string{"ca." + td, "localhost"}, IPs: []string{"127.0.0.1", "::1"}, Usages: []string{"server"}, Life: 24 * time.Hour,
		})},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lookAt(tt.cert, made)); diff != "" {
				t.Errorf("certificate (-want +got):\n%s", diff)
			}
			if got := made.Sub(tt.cert.NotBefore); got != time.Minute {
				t.Errorf("backdated by %s", got)
			}
			issuer := tt.issuer
			if issuer == nil {
				issuer = parse(t, node.Certificate[1])
			}
			checkIdentifiers(t, tt.cert, issuer)
			if len(tt.cert.Subject.Names) != 0 || len(tt.cert.SerialNumber.Bytes()) < 12 {
				t.Errorf("subject %q, serial %x", tt.cert.Subject, tt.cert.SerialNumber)
			}
		})
	}
}

func serverCertificate(t *testing.T, w *world) *x509.Certificate {
	t.Helper()
	c := w.caller(t, "development")
	resp, err := c.client.Get(c.url + "/1.0/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.TLS.PeerCertificates[0]
}

func checkIdentifiers(t *testing.T, leaf, issuer *x509.Certificate) {
	t.Helper()
	if len(leaf.SubjectKeyId) == 0 || !slices.Equal(leaf.AuthorityKeyId, issuer.SubjectKeyId) {
		t.Errorf("SubjectKeyId %x, AuthorityKeyId %x, issuer's %x", leaf.SubjectKeyId, leaf.AuthorityKeyId, issuer.SubjectKeyId)
	}
	if err := leaf.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
}

func TestAuthorities(t *testing.T) {
	dir := initDir(t, "development")
	load := func(name string) *x509.Certificate {
		return readCert(t, filepath.Join(dir, "networks", "development", name+".crt"))
	}
	root, node, registry := load("root"), load("node-issuer"), load("registry-issuer")
	life := func(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(c.NotBefore) - time.Minute }

	if !root.IsCA || root.MaxPathLen != 1 || life(root) != 10*365*24*time.Hour || len(root.ExtKeyUsage) != 0 {
		t.Errorf("root: path length %d, life %s", root.MaxPathLen, life(root))
	}
	for _, issuer := range []*x509.Certificate{node, registry} {
		if !issuer.IsCA || issuer.MaxPathLen != 0 || !issuer.MaxPathLenZero || life(issuer) != 365*24*time.Hour {
			t.Errorf("%s: path length %d, life %s", issuer.Subject, issuer.MaxPathLen, life(issuer))
		}
		if !issuer.PermittedDNSDomainsCritical || !slices.Equal(issuer.PermittedURIDomains, []string{td}) {
			t.Errorf("%s: URI constraint %v, critical %v", issuer.Subject, issuer.PermittedURIDomains, issuer.PermittedDNSDomainsCritical)
		}
		checkIdentifiers(t, issuer, root)
	}
	if got, want := node.PermittedDNSDomains, []string{td, "localhost"}; !slices.Equal(got, want) {
		t.Errorf("DNS constraint %v, want %v", got, want)
	}
	if got, want := node.PermittedEmailAddresses, []string{td}; !slices.Equal(got, want) {
		t.Errorf("rfc822 constraint %v, want %v", got, want)
	}
	var ips []string
	for _, p := range node.PermittedIPRanges {
		ips = append(ips, p.String())
	}
	if want := []string{"127.0.0.0/8", "::1/128"}; !slices.Equal(ips, want) {
		t.Errorf("IP constraint %v, want %v", ips, want)
	}
	if diff := cmp.Diff([]string{"client", "server"}, lookAt(node, time.Time{}).Usages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{registryOID}, lookAt(registry, time.Time{}).Usages); diff != "" {
		t.Error(diff)
	}
}

func TestNoCertificateOutlivesItsIssuer(t *testing.T) {
	w := newWorld(t, "development")
	w.clock.Advance(364*24*time.Hour + 12*time.Hour)
	m := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1"})
	for _, chain := range [][][]byte{m.Certificate, m.SigningCertificate} {
		if leaf, issuer := parse(t, chain[0]), parse(t, chain[1]); !leaf.NotAfter.Equal(issuer.NotAfter) {
			t.Errorf("leaf until %s, issuer until %s", leaf.NotAfter, issuer.NotAfter)
		}
	}
}

func TestEd25519NodeKey(t *testing.T) {
	w := newWorld(t, "development")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := w.token(t, pki.TokenRequest{Service: "billing", Node: "b1"})
	got := w.caller(t, "development").do(t, "POST", "/v1/enroll", enrolment{Token: token.Token, CSR: csrFor(t, key, x509.CertificateRequest{})})
	if got.status != http.StatusCreated {
		t.Fatalf("%d %s", got.status, got.body)
	}
}

func TestEnrolmentCarriesTheBundle(t *testing.T) {
	w := newWorld(t, "development")
	registry := w.enroll(t, pki.TokenRequest{Network: "development", Service: "registry", Node: "r1", Addresses: []string{"https://127.0.0.1:8438"}})
	bundle, err := identity.NewBundle(registry.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	if bundle.NID() != identity.NID(w.root(t, "development")) {
		t.Error("nid is not the root's")
	}
	want := identity.RegistryEntry{Registry: bundleID(t, "registry", "r1"), Addresses: []string{"https://127.0.0.1:8438"}}
	if diff := cmp.Diff([]identity.RegistryEntry{want}, registry.Registries, cmp.Comparer(sameID)); diff != "" {
		t.Errorf("registries (-want +got):\n%s", diff)
	}
	if _, err := bundle.Verify(parse(t, registry.SigningCertificate[0]), parse(t, registry.SigningCertificate[1]), identity.SigningUse); err != nil {
		t.Error(err)
	}
	got := w.caller(t, "development").do(t, "GET", "/v1/bundle", nil)
	var fetched identity.BundleDocument
	if err := json.Unmarshal(got.body, &fetched); err != nil {
		t.Fatal(err)
	}
	fetchedBundle, err := identity.NewBundle(fetched)
	if err != nil {
		t.Fatal(err)
	}
	if len(fetchedBundle.Registries()) != 1 || fetchedBundle.NID() != bundle.NID() {
		t.Errorf("bundle = %s", got.body)
	}
}

func bundleID(t *testing.T, service, node string) identity.NodeID {
	t.Helper()
	id, err := identity.ParseNodeID("spiffe://" + td + "/" + service + "/" + node)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sameID(a, b identity.NodeID) bool { return a == b }
