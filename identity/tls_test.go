package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// handshake connects a client to a server over loopback and lets one byte pass
// each way; it returns what either side has against the other.
func handshake(t *testing.T, client, server *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	deadline := time.Now().Add(time.Minute)
	done := make(chan error, 1)
	go func() {
		c, err := tls.NewListener(l, server).Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		done <- exchange(c, deadline)
	}()
	c, clientErr := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", l.Addr().String())
	if clientErr == nil {
		clientErr = exchange(c, deadline)
		c.Close()
	}
	return clientErr, <-done
}

func exchange(c net.Conn, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func fixed() time.Time { return now }

// registryTLS is the server of one network.
func registryTLS(ca *testca.Authority, shown *tls.Certificate, b *identity.Bundle, at time.Time) *tls.Config {
	return identity.ServerTLS(func(sni string) *identity.Tenant {
		if sni != ca.TD.RegistryName() {
			return nil
		}
		return &identity.Tenant{
			Credential: func() *tls.Certificate { return shown },
			Verify: func(state tls.ConnectionState) error {
				_, err := identity.VerifyPeer(state, b, identity.ClientUse, at)
				return err
			},
		}
	})
}

func TestTLS(t *testing.T) {
	ca, other, development := testca.New("production", "a", now), testca.New("production", "b", now), testca.New("development", "c", now)
	registry, node := ca.ID("registry", "one"), ca.ID("databaseservice", "db-1")
	good := ca.Issue(registry).TLS()
	from := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore = now.Add(d) }
	}
	long := func(c *x509.Certificate) { c.NotAfter = now.Add(48 * time.Hour) }
	longRegistry := ca.Issue(registry, long).TLS()
	sourceAt := func(cred *identity.Credential, b *identity.Bundle, at time.Duration) *tls.Config {
		i := ca.Identity(node)
		i.Credential, i.Document.ID, i.Bundle = cred, cred.ID(), b
		i.Document.NID, i.Document.Type = b.NID(), cred.ID().Type().String()
		i.Document.Network = b.TrustDomain().Network()
		src, err := identity.NewMemorySource(i)
		if err != nil {
			t.Fatal(err)
		}
		return identity.ClientTLS(src, func() time.Time { return now.Add(at) })
	}
	source := func(cred *identity.Credential, b *identity.Bundle) *tls.Config { return sourceAt(cred, b, 0) }
	late := func(at time.Duration) *tls.Config { return sourceAt(ca.Issue(node, long), ca.Bundle(), at) }
	mine := source(ca.Issue(node), ca.Bundle())
	with := func(edit func(*tls.Config)) *tls.Config {
		c := mine.Clone()
		edit(c)
		return c
	}
	show := func(certs ...*tls.Certificate) func(*tls.Config) {
		return func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(certs) == 0 {
					return &tls.Certificate{}, nil
				}
				return certs[0], nil
			}
		}
	}
	signing := ca.IssueSigning(registry).TLS()
	leafAlone := *ca.Issue(node).TLS()
	leafAlone.Certificate = leafAlone.Certificate[:1]
	withRoot := *ca.Issue(node).TLS()
	withRoot.Certificate = append(withRoot.Certificate[:2:2], ca.Root.Raw)
	revoked := ca.Issue(ca.ID("databaseservice", "revoked"))
	revokedRegistry := ca.Issue(ca.ID("registry", "revoked"))
	crl := ca.CRL(1, revoked.Leaf(), revokedRegistry.Leaf())
	serve := func(shown *tls.Certificate) *tls.Config { return registryTLS(ca, shown, ca.Bundle(crl), now) }
	serveAt := func(at time.Duration) *tls.Config { return registryTLS(ca, longRegistry, ca.Bundle(), now.Add(at)) }
	rows := []struct {
		name           string
		client, server *tls.Config
		code           identity.Code // found by the side that is named
		at             string        // "client", "server", or "" for success
		alert          string        // that the client is sent, if any
	}{
		{"accepts a node and a registry", mine, serve(good), "", "", ""},
		{"accepts a server that ended less than 60 s ago", late(24*time.Hour + 60*time.Second), serve(good), "", "", ""},
		{"accepts a client that ended less than 60 s ago", mine, serveAt(24*time.Hour + 60*time.Second), "", "", ""},
		{"accepts a server that begins in 50 s", mine, serve(ca.Issue(registry, from(50*time.Second)).TLS()), "", "", ""},
		{"accepts the name in another case", with(func(c *tls.Config) { c.ServerName = strings.ToUpper(c.ServerName) }), serve(good), "", "", ""},

		{"refuses TLS 1.2", with(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }), serve(good), "", "server", "protocol version not supported"},
		{"refuses an unknown name", with(func(c *tls.Config) { c.ServerName = "registry.development.netget.internal" }), serve(good), "", "server", "unrecognized name"},
		{"refuses no name", with(func(c *tls.Config) { c.ServerName = "" }), serve(good), "", "server", "unrecognized name"},
		{"refuses no client certificate", with(show()), serve(good), "", "server", "certificate required"},
		{"refuses a client of another root", with(show(other.Issue(node).TLS())), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a client of another network", with(show(development.Issue(development.ID("databaseservice", "db-1")).TLS())), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a leaf alone", with(show(&leafAlone)), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a chain with its root", with(show(&withRoot)), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a signing certificate as a client's", with(show(signing)), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a client that ended more than 60 s ago", mine, serveAt(24*time.Hour + 61*time.Second), identity.BadCert, "server", "bad certificate"},
		{"refuses a client that begins in 70 s", with(show(ca.Issue(node, from(70*time.Second)).TLS())), serve(good), identity.BadCert, "server", "bad certificate"},
		{"refuses a revoked client", with(show(revoked.TLS())), serve(good), identity.Revoked, "server", "bad certificate"},

		{"refuses a server of another root", mine, registryTLS(ca, other.Issue(registry).TLS(), ca.Bundle(), now), identity.BadCert, "client", ""},
		{"refuses a server of another network", mine, registryTLS(ca, development.Issue(development.ID("registry", "one")).TLS(), ca.Bundle(), now), identity.BadCert, "client", ""},
		{"refuses a service as a registry", mine, registryTLS(ca, ca.Issue(ca.ID("databaseservice", "db-2")).TLS(), ca.Bundle(), now), identity.Denied, "client", ""},
		{"refuses a client as a server", mine, registryTLS(ca, ca.Issue(ca.ID("client", "alice")).TLS(), ca.Bundle(), now), identity.BadCert, "client", ""},
		{"refuses a signing certificate as a server's", mine, serve(signing), identity.BadCert, "client", ""},
		{"refuses a server that ended more than 60 s ago", late(24*time.Hour + 61*time.Second), serve(good), identity.BadCert, "client", ""},
		{"refuses a revoked server", source(ca.Issue(node), ca.Bundle(crl)), serve(revokedRegistry.TLS()), identity.Revoked, "client", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			clientErr, serverErr := handshake(t, row.client, row.server)
			if row.at == "" {
				if clientErr != nil || serverErr != nil {
					t.Errorf("client: %v, server: %v", clientErr, serverErr)
				}
				return
			}
			found := serverErr
			if row.at == "client" {
				found = clientErr
			}
			if found == nil || identity.CodeOf(found) != row.code {
				t.Errorf("the %s found %v, want %q", row.at, found, row.code)
			}
			if row.alert != "" && (clientErr == nil || !strings.HasSuffix(clientErr.Error(), "remote error: tls: "+row.alert)) {
				t.Errorf("the client was told %v, want %q", clientErr, row.alert)
			}
		})
	}
}

func TestAuthorityTLS(t *testing.T) {
	ca, other := testca.New("production", "a", now), testca.New("production", "b", now)
	node := ca.ID("databaseservice", "db-1")
	var seen string
	serve := func(shown *tls.Certificate) *tls.Config {
		return identity.ServerTLS(func(sni string) *identity.Tenant {
			if sni != ca.TD.CAName() {
				return nil
			}
			return &identity.Tenant{
				Credential: func() *tls.Certificate { return shown }, ClientOptional: true,
				Verify: func(state tls.ConnectionState) error {
					seen = "nobody"
					if len(state.PeerCertificates) != 0 {
						cert, err := identity.VerifyPeer(state, ca.Bundle(), identity.ClientUse, now)
						if err != nil {
							return err
						}
						seen = cert.ID().Label()
					}
					return nil
				},
			}
		})
	}
	server := func(ca *testca.Authority) *tls.Certificate {
		key, leaf := ca.CAServer()
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.NodeIssuer.Raw}, PrivateKey: key}
	}
	cred := ca.Issue(node)
	for name, show := range map[string]*identity.Credential{"nobody": nil, "db-1": cred} {
		conf := identity.AuthorityTLS(ca.Bundle(), func() *identity.Credential { return show }, fixed)
		if clientErr, serverErr := handshake(t, conf, serve(server(ca))); clientErr != nil || serverErr != nil || seen != name {
			t.Errorf("as %s: %v, %v, the server saw %s", name, clientErr, serverErr, seen)
		}
	}
	conf := identity.AuthorityTLS(ca.Bundle(), func() *identity.Credential { return cred }, fixed)
	for name, shown := range map[string]*tls.Certificate{"another root's": server(other), "a registry": ca.Issue(ca.ID("registry", "one")).TLS()} {
		if clientErr, _ := handshake(t, conf, serve(shown)); identity.CodeOf(clientErr) != identity.BadCert {
			t.Errorf("%s as the authority: got %v, want %s", name, clientErr, identity.BadCert)
		}
	}
	late := identity.AuthorityTLS(ca.Bundle(), func() *identity.Credential { return nil }, func() time.Time { return now.Add(25 * time.Hour) })
	if clientErr, _ := handshake(t, late, serve(server(ca))); identity.CodeOf(clientErr) != identity.BadCert {
		t.Errorf("a day later: got %v, want %s", clientErr, identity.BadCert)
	}
}

// A session never resumes: every connection proves its certificate anew.
func TestTLSDoesNotResume(t *testing.T) {
	ca := testca.New("production", "a", now)
	conf := identity.ClientTLS(ca.Source(ca.ID("databaseservice", "db-1")), fixed)
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	resumed := false
	var last tls.ConnectionState
	verify := conf.VerifyConnection
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		resumed, last = resumed || state.DidResume, state
		return verify(state)
	}
	server := registryTLS(ca, ca.Issue(ca.ID("registry", "one")).TLS(), ca.Bundle(), now)
	for range 2 {
		if clientErr, serverErr := handshake(t, conf, server); clientErr != nil || serverErr != nil {
			t.Fatalf("%v, %v", clientErr, serverErr)
		}
	}
	if resumed {
		t.Error("the second connection resumed the first")
	}
	if err := verify(last); err != nil {
		t.Error(err)
	}
	last.DidResume = true
	if err := verify(last); err == nil {
		t.Error("a resumed session is accepted")
	}
}
