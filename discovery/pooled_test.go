package discovery_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A registry renews its certificate while a client keeps a connection that was
// made under the old one. Once that is over nothing is sent on it any more, and
// the client finds the registry under its new certificate.
func TestKeptConnectionsEndWithTheRegistrysCertificate(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	l.tls = s.ca.Issue(l.id, func(c *x509.Certificate) { c.NotAfter = start.Add(time.Hour) })
	c := s.client(t, nil, l.serve(t))
	ask := func() error {
		_, err := c.Discover(t.Context(), service)
		return err
	}
	wantCode(t, ask(), "")
	s.clock.advance(time.Hour + identity.ClockSkew)
	wantCode(t, ask(), "") // the last second

	s.clock.advance(time.Second)
	l.asked()
	wantCode(t, ask(), identity.BadCert)
	if asked := l.asked(); len(asked) != 0 {
		t.Errorf("a registry whose certificate is over was still asked %q", asked)
	}
	l.tls = s.ca.Issue(l.id)
	wantCode(t, ask(), "")
}

func TestKeptConnectionsEndWithTheRegistrysRevocation(t *testing.T) {
	s := newSetup("one")
	l := newLab(s.ca, s.clock, "one")
	c := s.client(t, nil, l.serve(t))
	_, err := c.Discover(t.Context(), service)
	wantCode(t, err, "")
	err = s.source.Update(func(current *identity.Identity) (*identity.Identity, error) {
		next := *current
		next.Bundle = s.ca.Bundle(s.ca.CRL(start.Unix(), l.tls.Leaf()))
		return &next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.asked()
	_, err = c.Discover(t.Context(), service)
	wantCode(t, err, identity.Revoked)
	if asked := l.asked(); len(asked) != 0 {
		t.Errorf("a registry whose certificate is revoked was still asked %q", asked)
	}
	l.tls = s.ca.Issue(l.id)
	_, err = c.Discover(t.Context(), service)
	wantCode(t, err, "")
}

// encoding/json alone would read every one of these.
func TestAnswerWithLineBreaksInItsCertificatesIsMalformed(t *testing.T) {
	s := newSetup("one")
	l, n := newLab(s.ca, s.clock, "one"), newNode(s.ca, "db-1", start)
	l.commit(n)
	good, ask := string(l.answer(2, 0)), discovery.Ask{Service: service, Now: start}
	if _, err := discovery.NewOpener(s.ca.Bundle()).Answer([]byte(good), ask); err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{
		"a node's certificate": n.cred.Leaf().Raw, "a node's issuer": n.cred.Issuer().Raw,
		"the head's signer": l.signing.Leaf().Raw, "the signer's issuer": l.signing.Issuer().Raw,
	} {
		text := base64.StdEncoding.EncodeToString(der)
		for _, breaks := range []string{`\n`, `\r`, `\r\n`, `\u000a`} {
			bad := strings.Replace(good, text, text[:64]+breaks+text[64:], 1)
			_, err := discovery.NewOpener(s.ca.Bundle()).Answer([]byte(bad), ask)
			if bad == good || identity.CodeOf(err) != identity.Malformed {
				t.Errorf("%s with %s: got %v, want malformed", name, breaks, err)
			}
		}
	}
}

// What has no business to answer as a registry is not asked, whatever network
// it is of: a certificate that may only call, a service's, the one by which
// heads are signed, the authority's own.
func TestImpostorsOfARegistryAreNotAsked(t *testing.T) {
	s := newSetup("one")
	key, server := s.ca.CAServer()
	authority := &tls.Certificate{Certificate: [][]byte{server.Raw, s.ca.NodeIssuer.Raw}, PrivateKey: key}
	foreign := newForeign()
	for name, row := range map[string]struct {
		shown *tls.Certificate
		code  identity.Code
	}{
		"a client":                      {s.ca.Issue(s.ca.ID("client", "bob")).TLS(), identity.BadCert},
		"an operator":                   {s.ca.Issue(s.ca.ID("operator", "olga")).TLS(), identity.BadCert},
		"a service node":                {s.ca.Issue(s.ca.ID(service, "db-1")).TLS(), identity.Denied},
		"a signing certificate":         {s.ca.IssueSigning(s.ca.ID("registry", "one")).TLS(), identity.BadCert},
		"the authority's server":        {authority, identity.BadCert},
		"a registry of another network": {foreign.Issue(foreign.ID("registry", "one")).TLS(), identity.BadCert},
		"a registry whose certificate is over": {s.ca.Issue(s.ca.ID("registry", "one"), func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = start.Add(-time.Hour), start.Add(-2*time.Minute)
		}).TLS(), identity.BadCert},
		"a registry that may only call": {s.ca.Issue(s.ca.ID("registry", "one"), func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}).TLS(), identity.BadCert},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(s.ca, s.clock, "one")
			c := s.client(t, nil, l.serveAs(t, func() *tls.Certificate { return row.shown }))
			_, err := c.Head(t.Context(), c.Remotes()[0])
			wantCode(t, err, row.code)
			if asked := l.asked(); len(asked) != 0 {
				t.Errorf("it was asked %q", asked)
			}
		})
	}
}
