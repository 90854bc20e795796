// Package testca is a certificate authority for tests: it makes, from a seed,
// the same keys and certificates each time, good ones and, on request, bad ones.
// It uses the standard library's crypto only and never writes a file.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"time"

	"github.com/neurons-me/netget/identity"
)

// An Authority is one network's root with both of its issuers.
type Authority struct {
	TD             identity.TrustDomain
	Root           *x509.Certificate
	NodeIssuer     *x509.Certificate
	RegistryIssuer *x509.Certificate

	seed        string
	now         time.Time
	rootKey     crypto.Signer
	nodeKey     crypto.Signer
	registryKey crypto.Signer
	serial      int64
}

// New makes the authority of a network as of now. Two seeds give two
// authorities, whatever the network is called.
func New(network, seed string, now time.Time) *Authority {
	td, err := identity.NewTrustDomain(network, identity.DefaultDomain)
	must(err)
	a := &Authority{TD: td, seed: seed, now: now}
	a.rootKey, a.nodeKey, a.registryKey = Key(seed+"/root"), Key(seed+"/node"), Key(seed+"/registry")
	root := a.authority("netget test root", 10*365*24*time.Hour, 1)
	root.ExtKeyUsage, root.UnknownExtKeyUsage = nil, nil
	a.Root = sign(root, root, a.rootKey.Public(), a.rootKey)
	node := a.authority("netget test node issuer", 365*24*time.Hour, 0)
	node.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	node.PermittedDNSDomainsCritical = true
	node.PermittedURIDomains = []string{td.String()}
	node.PermittedDNSDomains = []string{td.String(), "localhost"}
	node.PermittedEmailAddresses = []string{td.String()}
	node.PermittedIPRanges = []*net.IPNet{cidr("127.0.0.0/8"), cidr("::1/128")}
	a.NodeIssuer = sign(node, a.Root, a.nodeKey.Public(), a.rootKey)
	registry := a.authority("netget test registry issuer", 365*24*time.Hour, 0)
	registry.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidRegistry}
	registry.PermittedDNSDomainsCritical = true
	registry.PermittedURIDomains = []string{td.String()}
	a.RegistryIssuer = sign(registry, a.Root, a.registryKey.Public(), a.rootKey)
	return a
}

var oidRegistry = asn1.ObjectIdentifier{2, 25, 610837421, 1}

// ID returns an identity of the authority's network.
func (a *Authority) ID(service, node string) identity.NodeID {
	id, err := identity.NewNodeID(a.TD, service, node)
	must(err)
	return id
}

// Bundle returns the network's trust bundle with the given CRLs.
func (a *Authority) Bundle(crls ...[]byte) *identity.Bundle {
	b, err := identity.NewBundle(a.BundleDocument(crls...))
	must(err)
	return b
}

// BundleDocument returns the wire form of [Authority.Bundle].
func (a *Authority) BundleDocument(crls ...[]byte) identity.BundleDocument {
	return identity.BundleDocument{
		Network: a.TD.Network(), Domain: a.TD.Domain(), NID: identity.NID(a.Root),
		Roots: [][]byte{a.Root.Raw}, Handovers: [][]byte{}, Issuers: [][]byte{a.NodeIssuer.Raw, a.RegistryIssuer.Raw},
		CRLs: append([][]byte{}, crls...),
	}
}

// Handover returns the DER of the certificate by which the root of a vouches
// for that of next.
func (a *Authority) Handover(next *Authority) []byte {
	cert := a.authority(next.Root.Subject.CommonName, 10*365*24*time.Hour, 1)
	return sign(cert, a.Root, next.rootKey.Public(), a.rootKey).Raw
}

// Issue returns a credential of the profile that follows from id, valid for a
// day from now. Each edit may spoil the certificate before it is signed.
func (a *Authority) Issue(id identity.NodeID, edits ...func(*x509.Certificate)) *identity.Credential {
	return a.IssueKey(id, Key(a.seed+"/"+id.String()), edits...)
}

// IssueKey is [Authority.Issue] for a given key.
func (a *Authority) IssueKey(id identity.NodeID, key crypto.Signer, edits ...func(*x509.Certificate)) *identity.Credential {
	cred, err := identity.NewCredential(key, a.Leaf(id, key.Public(), edits...), a.NodeIssuer)
	must(err)
	return cred
}

// Leaf signs a node certificate for a public key.
func (a *Authority) Leaf(id identity.NodeID, key crypto.PublicKey, edits ...func(*x509.Certificate)) *x509.Certificate {
	leaf := a.leaf(id, 24*time.Hour)
	leaf.DNSNames = id.DNSNames()
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	switch id.Type() {
	case identity.RegistryNode:
		leaf.DNSNames = append(leaf.DNSNames, "localhost")
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		leaf.ExtKeyUsage = append(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	case identity.ServiceNode:
		leaf.ExtKeyUsage = append(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	case identity.ClientNode, identity.OperatorNode:
	}
	for _, edit := range edits {
		edit(leaf)
	}
	return sign(leaf, a.NodeIssuer, key, a.nodeKey)
}

// IssueSigning returns a registry's signing credential, valid for 30 days.
func (a *Authority) IssueSigning(id identity.NodeID, edits ...func(*x509.Certificate)) *identity.Credential {
	leaf := a.leaf(id, 30*24*time.Hour)
	leaf.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidRegistry}
	for _, edit := range edits {
		edit(leaf)
	}
	key := Key(a.seed + "/signing/" + id.String())
	cred, err := identity.NewCredential(key, sign(leaf, a.RegistryIssuer, key.Public(), a.registryKey), a.RegistryIssuer)
	must(err)
	return cred
}

// SignWithRegistryIssuer signs any certificate with the registry issuer's key,
// as a test of what it must not be able to do.
func (a *Authority) SignWithRegistryIssuer(leaf *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	return sign(leaf, a.RegistryIssuer, key, a.registryKey)
}

// SignWithNodeIssuer is the same with the node issuer's key.
func (a *Authority) SignWithNodeIssuer(leaf *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	return sign(leaf, a.NodeIssuer, key, a.nodeKey)
}

// Template returns an unsigned leaf for id without usages or DNS names.
func (a *Authority) Template(id identity.NodeID) *x509.Certificate {
	return a.leaf(id, 24*time.Hour)
}

// CAServer returns the authority's own server certificate with its key.
func (a *Authority) CAServer() (crypto.Signer, *x509.Certificate) {
	key := Key(a.seed + "/ca-server")
	leaf := a.authority("", 24*time.Hour, 0)
	leaf.IsCA, leaf.BasicConstraintsValid, leaf.MaxPathLenZero, leaf.Subject = false, true, false, pkix.Name{}
	leaf.MaxPathLen = -1
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = []string{a.TD.CAName(), "localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	return key, sign(leaf, a.NodeIssuer, key.Public(), a.nodeKey)
}

// CRL returns a revocation list of the node issuer.
func (a *Authority) CRL(number int64, revoked ...*x509.Certificate) []byte {
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: a.now, NextUpdate: a.now.Add(24 * time.Hour)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: a.now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.NodeIssuer, a.nodeKey)
	must(err)
	return der
}

// Identity returns all that a folder of the node would hold.
func (a *Authority) Identity(id identity.NodeID) *identity.Identity {
	i := &identity.Identity{
		Document: identity.Document{
			ID: id, Network: a.TD.Network(), Domain: a.TD.Domain(), NID: identity.NID(a.Root), Type: id.Type().String(),
			Registries: []identity.KnownRegistry{},
		},
		Credential: a.Issue(id),
		Bundle:     a.Bundle(),
	}
	if id.Type() == identity.RegistryNode {
		i.Signing = a.IssueSigning(id)
	}
	return i
}

// Source returns [Authority.Identity] ready for use, in memory.
func (a *Authority) Source(id identity.NodeID, registries ...identity.KnownRegistry) *identity.Source {
	i := a.Identity(id)
	i.Document.Registries = append(i.Document.Registries, registries...)
	src, err := identity.NewMemorySource(i)
	must(err)
	return src
}

func (a *Authority) authority(name string, life time.Duration, pathLen int) *x509.Certificate {
	a.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: a.now.Add(-time.Minute), NotAfter: a.now.Add(life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: pathLen, MaxPathLenZero: pathLen == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (a *Authority) leaf(id identity.NodeID, life time.Duration) *x509.Certificate {
	a.serial++
	uri, err := url.Parse(id.String())
	must(err)
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.serial),
		NotBefore:    a.now.Add(-time.Minute), NotAfter: a.now.Add(life),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{uri},
	}
}

// Key returns the P-256 key that belongs to a name. Its signatures are
// deterministic (RFC 6979), so that published vectors come out the same.
func Key(name string) crypto.Signer {
	for i := 0; ; i++ {
		d := sha256.Sum256(fmt.Appendf(nil, "netget test key %d %s", i, name))
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]); err == nil {
			return deterministic{key}
		}
	}
}

// EdKey returns the Ed25519 key that belongs to a name.
func EdKey(name string) crypto.Signer {
	d := sha256.Sum256([]byte("netget test Ed25519 key " + name))
	return ed25519.NewKeyFromSeed(d[:])
}

// deterministic signs without randomness, see [ecdsa.PrivateKey.Sign].
type deterministic struct{ *ecdsa.PrivateKey }

func (d deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.PrivateKey.Sign(nil, digest, opts)
}

func sign(cert, issuer *x509.Certificate, key crypto.PublicKey, issuerKey crypto.Signer) *x509.Certificate {
	spki, err := x509.MarshalPKIXPublicKey(key)
	must(err)
	ski := sha256.Sum256(spki)
	cert.SubjectKeyId = ski[:20]
	if cert != issuer {
		cert.AuthorityKeyId = issuer.SubjectKeyId
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, key, issuerKey)
	must(err)
	parsed, err := x509.ParseCertificate(der)
	must(err)
	return parsed
}

func cidr(s string) *net.IPNet {
	_, n, err := net.ParseCIDR(s)
	must(err)
	return n
}

// must stops a test whose own authority is broken.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
