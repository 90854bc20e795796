package forge

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"time"

	"filippo.io/edwards25519"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// The private keys of the authority that newCA returns.
func rootKey() crypto.Signer     { return testca.Key(seed + "/root") }
func nodeKey() crypto.Signer     { return testca.Key(seed + "/node") }
func registryKey() crypto.Signer { return testca.Key(seed + "/registry") }

func oidRegistry() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 25, 610837421, 1} }

// certify signs any certificate in the name of parent, with whatever key: key
// identifiers are as the template has them.
func certify(template, parent *x509.Certificate, key crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	name := *parent
	name.PublicKey = by.Public()
	return must(x509.ParseCertificate(must(x509.CreateCertificate(nil, template, &name, key, by))))
}

// An issuer is an authority under the root with its key.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newIssuer returns a node issuer, spoilt by edits before parent signs it.
func newIssuer(ca *testca.Authority, parent *x509.Certificate, by crypto.Signer, edits ...func(*x509.Certificate)) issuer {
	return newIssuerKey(ca, testca.Key(seed+"/another issuer"), parent, by, edits...)
}

func newIssuerKey(ca *testca.Authority, key crypto.Signer, parent *x509.Certificate, by crypto.Signer, edits ...func(*x509.Certificate)) issuer {
	td := ca.TD.String()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1000), Subject: pkix.Name{CommonName: "netget another issuer"},
		NotBefore: issued().Add(-time.Minute), NotAfter: issued().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedURIDomains:         []string{td},
		PermittedDNSDomains:         []string{td, "localhost"},
		PermittedEmailAddresses:     []string{td},
		PermittedIPRanges:           []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}},
		SubjectKeyId:                keyID(key.Public()),
	}
	for _, edit := range edits {
		edit(template)
	}
	return issuer{certify(template, parent, key.Public(), by), key}
}

// leaf returns a service node's certificate of the issuer.
func (i issuer) leaf(ca *testca.Authority, id identity.NodeID, key crypto.PublicKey, edits ...func(*x509.Certificate)) *x509.Certificate {
	return i.sign(leafTemplate(ca, id, key, edits...), key)
}

func (i issuer) sign(template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	return certify(template, i.cert, key, i.key)
}

// leafTemplate is a good service node's certificate before it is signed.
func leafTemplate(ca *testca.Authority, id identity.NodeID, key crypto.PublicKey, edits ...func(*x509.Certificate)) *x509.Certificate {
	template := ca.Template(id)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.DNSNames = id.DNSNames()
	template.SubjectKeyId = keyID(key)
	for _, edit := range edits {
		edit(template)
	}
	return template
}

// crl returns the first revocation list of an authority.
func crl(issuer *x509.Certificate, key crypto.Signer, revoked ...*x509.Certificate) []byte {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: issued(), NextUpdate: issued().Add(24 * time.Hour)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: issued()})
	}
	return must(x509.CreateRevocationList(nil, list, issuer, key))
}

// authority is an issuer or root of newCA with its key.
func nodeIssuer(ca *testca.Authority) issuer     { return issuer{ca.NodeIssuer, nodeKey()} }
func registryIssuer(ca *testca.Authority) issuer { return issuer{ca.RegistryIssuer, registryKey()} }

func keyID(key crypto.PublicKey) []byte {
	sum := sha256.Sum256(must(x509.MarshalPKIXPublicKey(key)))
	return sum[:20]
}

// rsaKey returns something that reads as an RSA key of 2048 bits. Nobody ever
// computes with it.
func rsaKey() *rsa.PublicKey {
	var n []byte
	for i := range byte(8) {
		part := sha256.Sum256([]byte{i})
		n = append(n, part[:]...)
	}
	n[0] |= 0x80
	n[len(n)-1] |= 1
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
}

// smallOrderKey returns the point of order one.
func smallOrderKey() ed25519.PublicKey { return edwards25519.NewIdentityPoint().Bytes() }

// nonCanonicalKey returns a point of large order, written with a y that is not
// reduced: y + p.
func nonCanonicalKey() ed25519.PublicKey {
	for y := byte(2); y < 19; y++ {
		plain := make([]byte, 32)
		plain[0] = y
		point, err := new(edwards25519.Point).SetBytes(plain)
		if err != nil || new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
			continue
		}
		key := make([]byte, 32)
		for i := range key {
			key[i] = 0xff
		}
		key[0], key[31] = 0xed+y, 0x7f // p = 2^255 - 19 ends in ed
		return key
	}
	panic("no such point")
}

// uri replaces the identity in a certificate by names of any form, in a
// subjectAltName made by hand: crypto/x509 would rewrite or refuse some.
func uri(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		var list []asn1.RawValue
		for _, name := range names {
			list = append(list, generalName(6, []byte(name)))
		}
		sans(list...)(c)
	}
}

func generalName(tag int, content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: content}
}

// sans puts names of any kind into a certificate, in place of its own.
func sans(names ...asn1.RawValue) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs, c.DNSNames, c.IPAddresses, c.EmailAddresses = nil, nil, nil, nil
		value := must(asn1.Marshal(names))
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
}
