package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// baseTLS is what both sides share: TLS 1.3 only, no session tickets, so that
// every connection proves its certificate anew.
func baseTLS() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		NextProtos:             []string{"h2", "http/1.1"},
	}
}

// ClientTLS returns the configuration of a node that calls registries of its
// network: SNI registry.<td>, the certificate in force at each handshake, and a
// server that proves to be a registry of the network.
func ClientTLS(src *Source, now func() time.Time) *tls.Config {
	c := baseTLS()
	c.ServerName = src.Identity().Bundle.TrustDomain().RegistryName()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return src.Identity().Credential.TLS(), nil
	}
	verifyConnection(c, func(state tls.ConnectionState) error {
		cert, err := VerifyPeer(state, src.Identity().Bundle, ServerUse, now())
		if err != nil {
			return err
		}
		if cert.ID().Type() != RegistryNode {
			return Refuse(Denied, "%s is not a registry", cert.ID())
		}
		return nil
	})
	return c
}

// NodeTLS returns the configuration of a caller that trusts one server only: a
// node of the caller's network that proves to be want. The caller shows its own
// certificate to a server that asks for one.
func NodeTLS(src *Source, want NodeID, now func() time.Time) *tls.Config {
	c := baseTLS()
	c.ServerName = want.Label() + "." + want.Service() + "." + want.TrustDomain().String()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return src.Identity().Credential.TLS(), nil
	}
	verifyConnection(c, func(state tls.ConnectionState) error {
		cert, err := VerifyPeer(state, src.Identity().Bundle, ServerUse, now())
		if err != nil {
			return err
		}
		if cert.ID() != want {
			return Refuse(Binding, "%s answers, not %s", cert.ID(), want)
		}
		return nil
	})
	return c
}

// AuthorityTLS returns the configuration of whoever calls the authority of the
// network of b. The client certificate is asked for at each handshake;
// credential may return nil for none.
func AuthorityTLS(b *Bundle, credential func() *Credential, now func() time.Time) *tls.Config {
	c := baseTLS()
	c.ServerName = b.TrustDomain().CAName()
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if cred := credential(); cred != nil {
			return cred.TLS(), nil
		}
		return &tls.Certificate{}, nil
	}
	verifyConnection(c, func(state tls.ConnectionState) error {
		_, err := VerifyPeer(state, b, CAServerUse, now())
		return err
	})
	return c
}

// A Tenant is one network as a server sees it: which certificate it shows
// there and how it judges the certificate of a caller.
type Tenant struct {
	Credential func() *tls.Certificate
	// Verify judges a caller; state has no peer certificate when none was
	// shown, which happens only where ClientOptional.
	Verify         func(state tls.ConnectionState) error
	ClientOptional bool
}

// ServerTLS returns the configuration of a server of several networks that
// share nothing. tenant chooses the network by the name (SNI, lower-cased) that
// the client asks for; nil refuses the handshake with unrecognized_name (112).
func ServerTLS(tenant func(sni string) *Tenant) *tls.Config {
	c := baseTLS()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		t := tenant(FoldName(hello.ServerName))
		if t == nil {
			return baseTLS(), nil // without certificate: crypto/tls sends unrecognized_name
		}
		return t.config(), nil
	}
	return c
}

func (t *Tenant) config() *tls.Config {
	c := baseTLS()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.Credential(), nil }
	c.ClientAuth = tls.RequireAnyClientCert
	if t.ClientOptional {
		c.ClientAuth = tls.RequestClientCert
	}
	c.VerifyConnection = func(state tls.ConnectionState) error { return t.Verify(state) } // panics if it was forgotten
	return c
}

// VerifyPeer judges the certificate that the other side of a connection has
// shown: chain, profile, time, revocation. It is asked at the handshake and
// again at each request, because certificates end while connections live.
func VerifyPeer(state tls.ConnectionState, b *Bundle, use Usage, now time.Time) (*Certificate, error) {
	if len(state.PeerCertificates) != 2 {
		return nil, Refuse(BadCert, "a peer shows its certificate and its issuer's, not %d certificates", len(state.PeerCertificates))
	}
	cert, err := b.Verify(state.PeerCertificates[0], state.PeerCertificates[1], use)
	if err != nil {
		return nil, err
	}
	if err := cert.CheckTime(now); err != nil {
		return nil, Refuse(BadCert, "%w", err) // BadTime is for what a certificate has signed
	}
	if err := b.CheckRevoked(cert); err != nil {
		return nil, err
	}
	return cert, nil
}

// verifyConnection puts our own verification in place of the one of crypto/tls,
// which knows neither the profiles of this protocol nor its clock rule, and
// would look for a DNS name where identities count.
func verifyConnection(c *tls.Config, verify func(tls.ConnectionState) error) {
	c.InsecureSkipVerify = true // VerifyConnection below does it, in full, on every connection
	c.VerifyConnection = func(state tls.ConnectionState) (err error) {
		defer func() { // net/http dials in goroutines of its own, where nobody else would catch it
			if cause := recover(); cause != nil {
				err = fmt.Errorf("verifying the other side panicked: %v", cause)
			}
		}()
		if state.DidResume {
			return errors.New("a resumed session proves no certificate")
		}
		return verify(state)
	}
}
