package identity

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
)

const (
	pemPrivateKey = "PRIVATE KEY"

	maxPEMBytes = 8 << 20
)

// EncodeKey returns a private key as PKCS#8 PEM, unencrypted.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), nil
}

// DecodeKey reads what [EncodeKey] writes.
func DecodeKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemPrivateKey {
		return nil, Refuse(Malformed, "no PKCS#8 private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, Refuse(Malformed, "parsing a private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, Refuse(Malformed, "the private key cannot sign")
	}
	return signer, CheckKey(signer.Public())
}

// EncodeChain returns certificates as PEM, in the given order.
func EncodeChain(certs ...*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw}))
	}
	return out.Bytes()
}

// DecodeChain reads what [EncodeChain] writes for a leaf and its issuer.
func DecodeChain(text []byte) (leaf, issuer *x509.Certificate, err error) {
	ders, crls, err := decodePEM(text)
	if err != nil {
		return nil, nil, err
	}
	if len(ders) != 2 || len(crls) != 0 {
		return nil, nil, Refuse(Malformed, "a certificate file holds the leaf, then its issuer; this one holds %d certificates", len(ders))
	}
	return ParsePair(ders)
}

// ParsePair parses the DER of a leaf and its issuer.
func ParsePair(ders [][]byte) (leaf, issuer *x509.Certificate, err error) {
	if len(ders) != 2 {
		return nil, nil, Refuse(BadCert, "a chain is a leaf and its issuer, not %d certificates", len(ders))
	}
	if len(ders[0])+len(ders[1]) > maxChainBytes {
		return nil, nil, Refuse(BadCert, "the chain has more than %d bytes", maxChainBytes)
	}
	if leaf, err = x509.ParseCertificate(ders[0]); err != nil {
		return nil, nil, Refuse(BadCert, "parsing a certificate: %w", err)
	}
	if issuer, err = x509.ParseCertificate(ders[1]); err != nil {
		return nil, nil, Refuse(BadCert, "parsing an issuer: %w", err)
	}
	return leaf, issuer, nil
}

// BundleFromPEM makes a bundle of what [Bundle.PEM] wrote: roots in their
// order, hand-overs, issuers, CRLs. Which network it is of follows from the
// constraints of the issuers. A nid that is not zero is taken from the caller,
// who vouches that the file begins with a root of that network; otherwise it
// is that of the file's first root.
func BundleFromPEM(text []byte, nid Hash) (*Bundle, error) {
	ders, crls, err := decodePEM(text)
	if err != nil {
		return nil, err
	}
	d := BundleDocument{CRLs: crls}
	var others []*x509.Certificate
	var roots []*x509.Certificate
	for _, der := range ders {
		cert, err := parseAuthority(der)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(cert.RawIssuer, cert.RawSubject) && cert.CheckSignatureFrom(cert) == nil {
			roots, d.Roots = append(roots, cert), append(d.Roots, der)
		} else {
			others = append(others, cert)
		}
	}
	if len(roots) == 0 {
		return nil, Refuse(Malformed, "the bundle holds no root certificate")
	}
	if err := d.sort(others, roots); err != nil {
		return nil, err
	}
	d.NID = NID(roots[0])
	b, err := NewBundle(d)
	if err != nil {
		return nil, err
	}
	if !nid.IsZero() {
		b.nid = nid
	}
	return b, nil
}

// sort tells hand-overs (of a root's subject and key) from issuers.
func (d *BundleDocument) sort(others, roots []*x509.Certificate) error {
	for _, cert := range others {
		handover := false
		for _, root := range roots {
			handover = handover || bytes.Equal(cert.RawSubject, root.RawSubject) && bytes.Equal(cert.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo)
		}
		if handover {
			d.Handovers = append(d.Handovers, cert.Raw)
			continue
		}
		d.Issuers = append(d.Issuers, cert.Raw)
		if len(cert.PermittedURIDomains) == 1 {
			td, err := ParseTrustDomain(cert.PermittedURIDomains[0])
			if err != nil {
				return err
			}
			d.Network, d.Domain = td.Network(), td.Domain()
		}
	}
	if d.Network == "" {
		return Refuse(Malformed, "the bundle holds no issuer that names its network")
	}
	return nil
}

func decodePEM(text []byte) (certs, crls [][]byte, err error) {
	if len(text) > maxPEMBytes {
		return nil, nil, Refuse(Limits, "a PEM file of %d bytes", len(text))
	}
	for len(bytes.TrimSpace(text)) != 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, nil, Refuse(Malformed, "not PEM")
		}
		switch block.Type {
		case pemCertificate:
			certs = append(certs, block.Bytes)
		case pemCRL:
			crls = append(crls, block.Bytes)
		default:
			return nil, nil, Refuse(Malformed, "an unexpected %q in PEM", clip(block.Type))
		}
		if len(certs) > maxRoots+maxAuthorities || len(crls) > maxCRLs { // a hand-over for each root
			return nil, nil, Refuse(Limits, "a PEM file of more certificates than a network has")
		}
		text = rest
	}
	return certs, crls, nil
}
