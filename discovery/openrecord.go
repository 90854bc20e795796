package discovery

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"slices"

	"github.com/neurons-me/netget/identity"
)

// An entry is one record of an answer, verified, in tree order.
type entry struct {
	opened *opened
	status Status
	since  int64
	hints
}

// hints are what a registry says of a record and nothing proves.
type hints struct {
	reason   string // a word; "" for none
	disputed bool
}

// hints returns what can be shown of those of a record.
func (r AnswerRecord) hints() hints {
	h := hints{disputed: r.Disputed}
	if isReason(r.Reason) {
		h.reason = r.Reason
	}
	return h
}

func (e entry) statement() *identity.Statement { return e.opened.statement }

// openRecords is step 7, as far as a failure refuses the whole answer: no
// honest registry lists a record whose signature or certificate is bad.
func (o *Opener) openRecords(a Answer, service string) ([]entry, error) {
	certs, err := parseCertificates(a.Certificates, a.Issuers)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(a.Records))
	for _, r := range a.Records {
		if r.Status == 0 || r.Since < 0 {
			return nil, identity.Refuse(identity.Malformed, "a record without status or since")
		}
		known, err := o.openRecord(r.Record, certs)
		if err != nil {
			return nil, err
		}
		if got := known.statement.Node().Service(); got != service {
			return nil, identity.Refuse(identity.Binding, "a record of %q in the answer about %q", got, service)
		}
		entries = append(entries, entry{known, r.Status, r.Since, r.hints()})
	}
	return entries, nil
}

// openRecord verifies one record, or finds that it did so before.
func (o *Opener) openRecord(token string, certs certificates) (*opened, error) {
	o.mu.Lock()
	known := o.known[token]
	o.mu.Unlock()
	if known != nil && certs.hold(known.statement.Certificate()) {
		return known, nil
	}
	env, err := identity.ParseEnvelope(token, identity.RecordTyp)
	if err != nil {
		return nil, err
	}
	cert, err := certs.find(env.Thumbprint(), o.bundle)
	if err != nil {
		return nil, err
	}
	statement, err := o.bundle.OpenStatement(env, cert)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxKnown {
		clear(o.known)
	}
	known = &opened{statement: statement}
	o.known[token] = known
	return known, nil
}

// certificates are those that came with an answer.
type certificates struct {
	leaves  map[identity.Hash][]byte
	issuers []*x509.Certificate
}

// parseCertificates keeps the leaves unparsed: most belong to records that are
// known already.
func parseCertificates(leaves, issuers [][]byte) (certificates, error) {
	c := certificates{leaves: make(map[identity.Hash][]byte, len(leaves))}
	for _, der := range leaves {
		c.leaves[sha256.Sum256(der)] = der
	}
	for _, der := range issuers {
		issuer, err := parseCertificate(der)
		if err != nil {
			return certificates{}, err
		}
		c.issuers = append(c.issuers, issuer)
	}
	return c, nil
}

// hold reports whether both certificates of a chain were sent: what is judged
// must not depend on what the Opener has seen before.
func (c certificates) hold(cert *identity.Certificate) bool {
	_, leaf := c.leaves[cert.Thumbprint()]
	return leaf && slices.ContainsFunc(c.issuers, cert.Issuer().Equal)
}

// find returns the certificate of a thumbprint, verified for signing records.
func (c certificates) find(thumbprint identity.Hash, b *identity.Bundle) (*identity.Certificate, error) {
	der, ok := c.leaves[thumbprint]
	if !ok {
		return nil, identity.Refuse(identity.BadCert, "the certificate %s was not sent", thumbprint)
	}
	leaf, err := parseCertificate(der)
	if err != nil {
		return nil, err
	}
	for _, issuer := range c.issuers {
		if bytes.Equal(leaf.RawIssuer, issuer.RawSubject) && bytes.Equal(leaf.AuthorityKeyId, issuer.SubjectKeyId) {
			return b.Verify(leaf, issuer, identity.ClientUse)
		}
	}
	return nil, identity.Refuse(identity.BadCert, "the issuer of a certificate was not sent")
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificateBytes {
		return nil, identity.Refuse(identity.BadCert, "a certificate of %d bytes, more than %d", len(der), maxCertificateBytes)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, identity.Refuse(identity.BadCert, "parsing a certificate of the answer: %w", err)
	}
	return cert, nil
}
