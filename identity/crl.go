package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"
)

const (
	pemCertificate = "CERTIFICATE"
	pemCRL         = "X509 CRL"

	maxCRLBytes      = 1 << 20
	maxCRLNumberBits = 63 // Unix seconds, or one more than the last: far below
)

var (
	oidCRLNumber         = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode        = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidAuthorityKey      = asn1.ObjectIdentifier{2, 5, 29, 35}
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
	if len(ders) > maxCRLs {
		return Refuse(Limits, "a bundle has at most %d revocation lists, not %d", maxCRLs, len(ders))
	}
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
	if err := checkCRL(list); err != nil {
		return nil, err
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

// checkCRL holds what a list of any authority must be: numbered, and complete.
// What it says in critical extensions that nobody here reads could be that it is
// a part only (RFC 5280 sections 5.2 and 5.3).
func checkCRL(list *x509.RevocationList) error {
	if n := list.Number; n == nil || n.Sign() < 0 || n.BitLen() > maxCRLNumberBits || len(list.AuthorityKeyId) == 0 {
		return Refuse(BadCert, "a revocation list without a number in range or without authority key")
	}
	for _, ext := range list.Extensions {
		switch {
		case ext.Id.Equal(oidDistributionPoint):
			if !coversAll(ext.Value) {
				return Refuse(BadCert, "a revocation list that is not complete")
			}
		case ext.Id.Equal(oidAuthorityKey), ext.Id.Equal(oidCRLNumber):
		case ext.Critical:
			return Refuse(BadCert, "a revocation list with the unknown critical extension %s", ext.Id)
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, ext := range entry.Extensions {
			if ext.Critical && !ext.Id.Equal(oidReasonCode) {
				return Refuse(BadCert, "a revocation list whose entry has the unknown critical extension %s", ext.Id)
			}
		}
	}
	return nil
}

// coversAll reports whether an issuing distribution point tells no more than
// where the list is found: all its other fields narrow the list.
func coversAll(point []byte) bool {
	var fields []asn1.RawValue
	rest, err := asn1.Unmarshal(point, &fields)
	return err == nil && len(rest) == 0 && !slices.ContainsFunc(fields, func(f asn1.RawValue) bool {
		return f.Class != asn1.ClassContextSpecific || f.Tag != 0
	})
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
