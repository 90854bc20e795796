package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"slices"
	"time"
)

const (
	pemCertificate = "CERTIFICATE"
	pemCRL         = "X509 CRL"

	maxCRLBytes = 1 << 20
)

// A CRL is a revocation list of which the signature was verified.
type CRL struct {
	list    *x509.RevocationList
	issuer  Hash // SPKI hash of who signed it
	revoked map[string]struct{}
}

// Issuer returns the SPKI hash of the authority that the list is of.
func (c *CRL) Issuer() Hash { return c.issuer }

// Number returns the list's cRLNumber.
func (c *CRL) Number() *big.Int { return new(big.Int).Set(c.list.Number) }

// NextUpdate returns by when a newer list was promised.
func (c *CRL) NextUpdate() time.Time { return c.list.NextUpdate }

// Hash returns SHA-256 of the list's DER.
func (c *CRL) Hash() Hash { return sha256.Sum256(c.list.Raw) }

// Raw returns the list's DER; the caller must not change it.
func (c *CRL) Raw() []byte { return c.list.Raw }

// addCRLs keeps the newest list of each authority.
func (b *Bundle) addCRLs(ders [][]byte) error {
	for _, der := range ders {
		crl, err := b.parseCRL(der)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(b.crls, func(c *CRL) bool { return c.issuer == crl.issuer })
		switch {
		case i < 0:
			b.crls = append(b.crls, crl)
		case crl.list.Number.Cmp(b.crls[i].list.Number) > 0:
			b.crls[i] = crl
		}
	}
	return nil
}

func (b *Bundle) parseCRL(der []byte) (*CRL, error) {
	if len(der) > maxCRLBytes {
		return nil, Refuse(Limits, "a revocation list of %d bytes, more than %d", len(der), maxCRLBytes)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, Refuse(BadCert, "parsing a revocation list: %w", err)
	}
	if list.Number == nil || list.Number.Sign() < 0 || len(list.AuthorityKeyId) == 0 {
		return nil, Refuse(BadCert, "a revocation list without number or authority key")
	}
	for _, authority := range slices.Concat(b.roots, b.issuers) {
		if bytes.Equal(list.RawIssuer, authority.RawSubject) && list.CheckSignatureFrom(authority) == nil {
			crl := &CRL{list: list, issuer: SPKIHash(authority), revoked: map[string]struct{}{}}
			for _, entry := range list.RevokedCertificateEntries {
				crl.revoked[entry.SerialNumber.String()] = struct{}{}
			}
			return crl, nil
		}
	}
	return nil, Refuse(BadCert, "a revocation list of an unknown authority")
}

// CRLs returns the revocation lists, one an authority.
func (b *Bundle) CRLs() []*CRL { return slices.Clone(b.crls) }

// CRLHash returns the "crls" of a head made under this bundle: SHA-256 of the
// JCS of the sorted pairs (issuer SPKI hash, cRLNumber in decimal).
func (b *Bundle) CRLHash() (Hash, error) {
	pairs := [][2]string{}
	for _, crl := range b.crls {
		pairs = append(pairs, [2]string{crl.issuer.String(), crl.list.Number.String()})
	}
	slices.SortFunc(pairs, func(x, y [2]string) int { return bytes.Compare([]byte(x[0]), []byte(y[0])) })
	text, err := MarshalCanonical(pairs)
	if err != nil {
		return Hash{}, err
	}
	return sha256.Sum256(text), nil
}

// CheckRevoked reports whether leaf or issuer of the certificate stand on a
// list of the bundle; a failure is [Revoked], whatever reason the list gives.
func (b *Bundle) CheckRevoked(c *Certificate) error {
	for _, crl := range b.crls {
		if _, ok := crl.revoked[c.leaf.SerialNumber.String()]; ok && crl.issuer == SPKIHash(c.issuer) {
			return Refuse(Revoked, "the certificate of %s is revoked", subjectOf(c.id))
		}
		if _, ok := crl.revoked[c.issuer.SerialNumber.String()]; ok && crl.issuer == SPKIHash(c.root) {
			return Refuse(Revoked, "the issuer of %s is revoked", subjectOf(c.id))
		}
	}
	return nil
}

// With returns the bundle with further revocation lists, of which the newer of
// each authority counts.
func (b *Bundle) With(crls [][]byte) (*Bundle, error) {
	d := b.Document()
	d.CRLs = append(d.CRLs, crls...)
	return NewBundle(d)
}
