package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// A caller that wants one node believes nobody else, in the network or out of
// it, and believes the node only while its certificate counts.
func TestNodeTLS(t *testing.T) {
	ca, other, development := testca.New("production", "a", now), testca.New("production", "b", now), testca.New("development", "c", now)
	registry, node := ca.ID("registry", "one"), ca.ID("databaseservice", "db-1")
	revoked := ca.Issue(node)
	at := func(begin, end time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(begin), now.Add(end) }
	}
	alone, withRoot, wrongIssuer := *ca.Issue(node).TLS(), *ca.Issue(node).TLS(), *ca.Issue(node).TLS()
	alone.Certificate = alone.Certificate[:1]
	withRoot.Certificate = append(withRoot.Certificate[:2:2], ca.Root.Raw)
	wrongIssuer.Certificate = [][]byte{wrongIssuer.Certificate[0], ca.RegistryIssuer.Raw}
	authorityKey, authority := ca.CAServer()
	authorityTLS := &tls.Certificate{Certificate: [][]byte{authority.Raw, ca.NodeIssuer.Raw}, PrivateKey: authorityKey}
	rows := []struct {
		name  string
		shown *tls.Certificate
		code  identity.Code // "" for success
	}{
		{"accepts the node", ca.Issue(node).TLS(), ""},
		{"accepts the node by an Ed25519 key", ca.IssueKey(node, testca.EdKey("db-1")).TLS(), ""},
		{"accepts a certificate that ended less than 60 s ago", ca.Issue(node, at(-time.Hour, -60*time.Second)).TLS(), ""},
		{"accepts a certificate that begins within 60 s", ca.Issue(node, at(60*time.Second, time.Hour)).TLS(), ""},
		{"refuses another node of the service", ca.Issue(ca.ID("databaseservice", "db-2")).TLS(), identity.Binding},
		{"refuses a node of another service", ca.Issue(ca.ID("billing", "db-1")).TLS(), identity.Binding},
		{"refuses a registry", ca.Issue(ca.ID("registry", "two")).TLS(), identity.Binding},
		{"refuses the caller itself", ca.Issue(registry).TLS(), identity.Binding},
		{"refuses a client", ca.Issue(ca.ID("client", "db-1")).TLS(), identity.BadCert},
		{"refuses an operator", ca.Issue(ca.ID("operator", "db-1")).TLS(), identity.BadCert},
		{"refuses the authority's server", authorityTLS, identity.BadCert},
		{"refuses a registry's signing certificate", ca.IssueSigning(registry).TLS(), identity.BadCert},
		{"refuses the node of another root", other.Issue(node).TLS(), identity.BadCert},
		{"refuses the node of another network", development.Issue(development.ID("databaseservice", "db-1")).TLS(), identity.BadCert},
		{"refuses a leaf without its issuer", &alone, identity.BadCert},
		{"refuses a chain with its root", &withRoot, identity.BadCert},
		{"refuses a leaf beside another issuer", &wrongIssuer, identity.BadCert},
		{"refuses a certificate that ended more than 60 s ago", ca.Issue(node, at(-time.Hour, -61*time.Second)).TLS(), identity.BadCert},
		{"refuses a certificate that begins in more than 60 s", ca.Issue(node, at(61*time.Second, time.Hour)).TLS(), identity.BadCert},
		{"refuses a revoked certificate", revoked.TLS(), identity.Revoked},
	}
	caller := ca.Identity(registry)
	caller.Bundle = ca.Bundle(ca.CRL(1, revoked.Leaf()))
	src, err := identity.NewMemorySource(caller)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			server := &tls.Config{Certificates: []tls.Certificate{*row.shown}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
			clientErr, serverErr := handshake(t, identity.NodeTLS(src, node, fixed), server)
			if row.code == "" {
				if clientErr != nil || serverErr != nil {
					t.Errorf("client: %v, server: %v", clientErr, serverErr)
				}
				return
			}
			if clientErr == nil || identity.CodeOf(clientErr) != row.code {
				t.Errorf("got %v, want %q", clientErr, row.code)
			}
		})
	}
}

// The caller asks for the node by its own name, shows the certificate in force
// and does not speak TLS 1.2.
func TestNodeTLSHello(t *testing.T) {
	ca := testca.New("production", "a", now)
	registry, node := ca.ID("registry", "one"), ca.ID("databaseservice", "db-1")
	conf := identity.NodeTLS(ca.Source(registry), node, fixed)
	var asked string
	var caller identity.NodeID
	server := identity.ServerTLS(func(sni string) *identity.Tenant {
		asked = sni
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return ca.Issue(node).TLS() },
			Verify: func(state tls.ConnectionState) error {
				cert, err := identity.VerifyPeer(state, ca.Bundle(), identity.ClientUse, now)
				if err == nil {
					caller = cert.ID()
				}
				return err
			},
		}
	})
	if clientErr, serverErr := handshake(t, conf, server); clientErr != nil || serverErr != nil {
		t.Fatalf("client: %v, server: %v", clientErr, serverErr)
	}
	if want := "db-1.databaseservice." + ca.TD.String(); asked != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if caller != registry {
		t.Errorf("showed %q, want %q", caller, registry)
	}
	old := &tls.Config{Certificates: []tls.Certificate{*ca.Issue(node).TLS()}, MaxVersion: tls.VersionTLS12}
	if clientErr, _ := handshake(t, conf, old); clientErr == nil {
		t.Error("it speaks TLS 1.2")
	}
}

// A zero identity is nobody's.
func TestNodeTLSWantsSomebody(t *testing.T) {
	ca := testca.New("production", "a", now)
	server := &tls.Config{Certificates: []tls.Certificate{*ca.Issue(ca.ID("databaseservice", "db-1")).TLS()}, MinVersion: tls.VersionTLS13}
	clientErr, _ := handshake(t, identity.NodeTLS(ca.Source(ca.ID("registry", "one")), identity.NodeID{}, fixed), server)
	if clientErr == nil || identity.CodeOf(clientErr) != identity.Binding {
		t.Errorf("got %v, want %q", clientErr, identity.Binding)
	}
}
