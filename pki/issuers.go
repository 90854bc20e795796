package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	rootLife   = 10 * 365 * 24 * time.Hour
	issuerLife = 365 * 24 * time.Hour
	backdate   = 60 * time.Second
)

// rootTemplate is the certificate of a network's root.
func rootTemplate(td identity.TrustDomain, now time.Time) *x509.Certificate {
	t := authorityTemplate(td.String()+" root", now, rootLife)
	t.MaxPathLen = 1
	return t
}

// nodeIssuerTemplate is the issuer of everything that speaks TLS. All four
// kinds of name are constrained, so that none is left open.
func nodeIssuerTemplate(td identity.TrustDomain, extras Extras, now time.Time) *x509.Certificate {
	t := authorityTemplate(td.String()+" node issuer", now, issuerLife)
	t.MaxPathLenZero = true
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	t.PermittedDNSDomainsCritical = true
	t.PermittedURIDomains = []string{td.String()}
	t.PermittedDNSDomains = append([]string{td.String()}, extras.DNS...)
	t.PermittedEmailAddresses = []string{td.String()}
	t.PermittedIPRanges = extras.ipNets()
	return t
}

// registryIssuerTemplate is the issuer of what signs heads, and of nothing else.
func registryIssuerTemplate(td identity.TrustDomain, now time.Time) *x509.Certificate {
	t := authorityTemplate(td.String()+" registry issuer", now, issuerLife)
	t.MaxPathLenZero = true
	t.UnknownExtKeyUsage = registryUsage()
	t.PermittedDNSDomainsCritical = true
	t.PermittedURIDomains = []string{td.String()}
	return t
}

func authorityTemplate(name string, now time.Time, life time.Duration) *x509.Certificate {
	now = now.UTC().Truncate(time.Second)
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// signAuthority signs the certificate of a root or an issuer; parent is the
// template itself for a root.
func signAuthority(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", template.Subject.CommonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back %s: %w", template.Subject.CommonName, err)
	}
	return cert, nil
}

// newSerial returns a random positive serial number of at most 127 bits
// (RFC 5280 section 4.1.2.2 allows 20 octets).
func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	serial, err := rand.Int(rand.Reader, limit.Sub(limit, big.NewInt(1)))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}
