package identity

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ClockSkew is by how much clocks may differ: it extends the life of
// certificates on both sides and of signed objects past their end.
const ClockSkew = 60 * time.Second

// A Usage is what a certificate is being relied on for.
type Usage uint8

// The usages.
const (
	_           Usage = iota
	ClientUse         // calling over TLS, signing records and tombstones
	ServerUse         // answering over TLS
	SigningUse        // signing heads
	CAServerUse       // the certificate authority answering over TLS
)

// A Certificate is a node's certificate of which chain and profile were
// verified: only [Bundle.Verify] makes one. Whether it is in time or revoked
// is judged apart, at the moment that matters.
type Certificate struct {
	leaf, issuer, root *x509.Certificate
	id                 NodeID
	use                Usage
	thumbprint         Hash
}

// A Serial names a certificate for revocation: the hash of its issuer's key
// with its serial number, in decimal.
type Serial struct {
	Issuer Hash
	Number string
}

// ID returns the identity; zero for [CAServerUse].
func (c *Certificate) ID() NodeID { return c.id }

// Leaf returns the certificate itself.
func (c *Certificate) Leaf() *x509.Certificate { return c.leaf }

// Issuer returns the certificate that signed it.
func (c *Certificate) Issuer() *x509.Certificate { return c.issuer }

// Thumbprint returns SHA-256 of the leaf.
func (c *Certificate) Thumbprint() Hash { return c.thumbprint }

// Serial returns the name that revocation uses.
func (c *Certificate) Serial() Serial {
	return Serial{SPKIHash(c.issuer), c.leaf.SerialNumber.String()}
}

// CheckTime reports whether leaf, issuer and root are valid at t, give or take
// [ClockSkew]; a failure is [BadTime].
func (c *Certificate) CheckTime(t time.Time) error {
	for _, cert := range []*x509.Certificate{c.leaf, c.issuer, c.root} {
		if t.Before(cert.NotBefore.Add(-ClockSkew)) || t.After(cert.NotAfter.Add(ClockSkew)) {
			return Refuse(BadTime, "the certificate of %s is valid from %s to %s", subjectOf(c.id), cert.NotBefore.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// Expires returns when the chain ends, [ClockSkew] included.
func (c *Certificate) Expires() time.Time {
	end := c.leaf.NotAfter
	for _, cert := range []*x509.Certificate{c.issuer, c.root} {
		if cert.NotAfter.Before(end) {
			end = cert.NotAfter
		}
	}
	return end.Add(ClockSkew)
}

// idOf reads the identity from the one URI SAN of a certificate, the only
// place it may come from.
func idOf(leaf *x509.Certificate) (NodeID, error) {
	uris, err := uriSANs(leaf)
	if err != nil {
		return NodeID{}, err
	}
	if len(uris) != 1 {
		return NodeID{}, Refuse(BadCert, "a certificate has exactly one URI name, not %d", len(uris))
	}
	id, err := ParseNodeID(uris[0])
	if err != nil {
		return NodeID{}, Refuse(BadCert, "the certificate's URI name is no identity: %w", err)
	}
	return id, nil
}

// checkProfile is the strict profile of docs/protocol.md section 2 for leaves
// of td.
func checkProfile(leaf, issuer *x509.Certificate, td TrustDomain, use Usage) (NodeID, error) {
	if err := checkLeaf(leaf); err != nil {
		return NodeID{}, err
	}
	if use == CAServerUse {
		return NodeID{}, checkCAServer(leaf, issuer, td)
	}
	id, err := idOf(leaf)
	if err != nil {
		return NodeID{}, err
	}
	if id.TrustDomain() != td {
		return NodeID{}, Refuse(BadCert, "the certificate is of %s, not of %s", id.TrustDomain(), td)
	}
	if err := checkUsages(leaf, issuer, id, use); err != nil {
		return NodeID{}, err
	}
	return id, checkNames(leaf, issuer, id, use)
}

// checkLeaf holds what no leaf of any profile may have.
func checkLeaf(leaf *x509.Certificate) error {
	if leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return Refuse(BadCert, "an authority's certificate stands in place of a node's")
	}
	if len(leaf.UnhandledCriticalExtensions) != 0 || hasExtension(leaf, oidNameConstraints) {
		return Refuse(BadCert, "the certificate has constraints or critical extensions of no profile")
	}
	if len(leaf.EmailAddresses) != 0 {
		return Refuse(BadCert, "the certificate carries an e-mail name")
	}
	if leaf.Subject.CommonName != "" {
		return Refuse(BadCert, "the certificate carries a common name")
	}
	if len(leaf.SubjectKeyId) == 0 || len(leaf.AuthorityKeyId) == 0 {
		return Refuse(BadCert, "the certificate lacks its key identifiers")
	}
	return CheckKey(leaf.PublicKey)
}

// checkUsages compares the extended key usages with the one set of the
// profile. crypto/x509 would accept more: its ExtKeyUsageAny lets a node
// issuer sign for a registry's heads.
func checkUsages(leaf, issuer *x509.Certificate, id NodeID, use Usage) error {
	var want usages
	switch use {
	case SigningUse:
		if id.Type() != RegistryNode {
			return Refuse(BadCert, "%s is not a registry", id)
		}
		want = usages{registry: true}
		if usagesOf(issuer) != want {
			return Refuse(BadCert, "the issuer is not one of registry signing certificates")
		}
	case ClientUse, ServerUse:
		want = usages{client: true, server: id.Type() == ServiceNode || id.Type() == RegistryNode}
		if use == ServerUse && !want.server {
			return Refuse(BadCert, "%s may not serve", id)
		}
		if usagesOf(issuer) != (usages{client: true, server: true}) {
			return Refuse(BadCert, "the issuer is not one of node certificates")
		}
	case CAServerUse:
		want = usages{server: true}
	}
	if usagesOf(leaf) != want {
		return Refuse(BadCert, "the extended key usages are not those of the profile")
	}
	return nil
}

// checkIssuer holds what the two kinds of issuers are made with: no authority
// below them, and only names of the network.
func checkIssuer(issuer *x509.Certificate, td TrustDomain, use Usage) error {
	if !issuer.BasicConstraintsValid || !issuer.IsCA || issuer.MaxPathLen != 0 || !issuer.MaxPathLenZero {
		return Refuse(BadCert, "the issuer is no authority of path length 0")
	}
	if alg, err := algorithmOf(issuer.PublicKey); err != nil || alg != jose.ES256 {
		return Refuse(BadCert, "the issuer's key is not ECDSA P-256")
	}
	if !issuer.PermittedDNSDomainsCritical || !slices.Equal(issuer.PermittedURIDomains, []string{td.String()}) {
		return Refuse(BadCert, "the issuer is not constrained to the identities of %s", td)
	}
	if use != SigningUse && (len(issuer.PermittedDNSDomains) == 0 || len(issuer.PermittedIPRanges) == 0 || len(issuer.PermittedEmailAddresses) == 0) {
		return Refuse(BadCert, "the issuer does not constrain all four kinds of names")
	}
	return nil
}

// checkNames lets a certificate carry the names of its profile or fewer.
func checkNames(leaf, issuer *x509.Certificate, id NodeID, use Usage) error {
	if use == SigningUse {
		if len(leaf.DNSNames)+len(leaf.IPAddresses) != 0 {
			return Refuse(BadCert, "a signing certificate has no DNS or IP names")
		}
		return nil
	}
	registry := id.Type() == RegistryNode
	own := id.DNSNames()
	for _, name := range leaf.DNSNames {
		if !slices.Contains(own, name) && (!registry || !isExtraDNS(name, issuer, id.td)) {
			return Refuse(BadCert, "the DNS name %q is not of this node's profile", clip(name))
		}
	}
	if len(leaf.IPAddresses) != 0 && !registry {
		return Refuse(BadCert, "only registries have IP names")
	}
	return nil
}

func checkCAServer(leaf, issuer *x509.Certificate, td TrustDomain) error {
	uris, err := uriSANs(leaf)
	if err != nil {
		return err
	}
	if len(uris) != 0 || usagesOf(leaf) != (usages{server: true}) || usagesOf(issuer) != (usages{client: true, server: true}) {
		return Refuse(BadCert, "not a certificate of the authority's own server")
	}
	if !slices.Contains(leaf.DNSNames, td.CAName()) {
		return Refuse(BadCert, "the certificate is not for %s", td.CAName())
	}
	for _, name := range leaf.DNSNames {
		if name != td.CAName() && !isExtraDNS(name, issuer, td) {
			return Refuse(BadCert, "the DNS name %q is not the authority's", clip(name))
		}
	}
	return nil
}

// isExtraDNS reports whether a name is one of those that the network's owner
// fixed in the issuer beside the trust domain itself.
func isExtraDNS(name string, issuer *x509.Certificate, td TrustDomain) bool {
	if within(name, td.String()) || !isDNSName(name) {
		return false // a name of the network is a node's own, whatever the extras are
	}
	for _, extra := range issuer.PermittedDNSDomains {
		if within(name, extra) {
			return true
		}
	}
	return false
}

// within reports whether name is domain or a name below it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// usages is a set of extended key usages; other marks any that has no place here.
type usages struct{ client, server, registry, other bool }

func usagesOf(c *x509.Certificate) usages {
	var u usages
	for _, eku := range c.ExtKeyUsage {
		switch eku { //nolint:exhaustive // all the others have no place in any profile
		case x509.ExtKeyUsageClientAuth:
			u.client = true
		case x509.ExtKeyUsageServerAuth:
			u.server = true
		default:
			u.other = true
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		if oid.String() == registryOID {
			u.registry = true
		} else {
			u.other = true
		}
	}
	return u
}

// registryOID is netgetRegistry, the extended key usage of registry signing
// certificates and of nothing else.
const registryOID = "2.25.610837421.1"

func subjectOf(id NodeID) string {
	if id.IsZero() {
		return "the certificate authority"
	}
	return id.String()
}
