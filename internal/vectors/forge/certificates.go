package forge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// Certificates returns the vectors of certificates and bundles.
func Certificates() vectors.File[vectors.Certificate] {
	return vectors.File[vectors.Certificate]{
		About:   "Certificates for one of four uses (client, server, signing, ca-server), and trust bundles.",
		Vectors: slices.Concat(goodCertificates(), badLeaves(), badIssuers(), badMoments(), bundles()),
	}
}

// A specimen is a certificate on its way into a vector.
type specimen struct {
	ca           *testca.Authority
	use          string
	id           identity.NodeID // zero: none is in it
	key          crypto.PublicKey
	issuer       issuer
	leaf         *x509.Certificate
	spoil        func(*x509.Certificate)
	crls         [][]byte
	now          int64
	alreadySpelt bool // leaf is signed
}

func newSpecimen(use, service, label string) *specimen {
	ca := newCA()
	s := &specimen{ca: ca, use: use, key: testca.Key("specimen").Public(), issuer: nodeIssuer(ca)}
	if use == "ca-server" {
		_, s.leaf = ca.CAServer()
		s.alreadySpelt = true
		return s
	}
	s.id = ca.ID(service, label)
	s.leaf = leafTemplate(ca, s.id, s.key)
	switch s.id.Type() {
	case identity.ClientNode, identity.OperatorNode:
		s.leaf.ExtKeyUsage = s.leaf.ExtKeyUsage[:1]
	case identity.RegistryNode:
		s.leaf.DNSNames = append(s.leaf.DNSNames, "localhost")
		s.leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	case identity.ServiceNode:
	}
	if use == "signing" {
		s.leaf = leafTemplate(ca, s.id, s.key, signingProfile)
		s.issuer = registryIssuer(ca)
	}
	return s
}

func (s *specimen) vector(name string, class identity.Code) vectors.Certificate {
	cert := s.leaf
	if !s.alreadySpelt {
		if s.spoil != nil {
			s.spoil(s.leaf)
		}
		cert = s.issuer.sign(s.leaf, s.key)
	}
	v := vectors.Certificate{
		Case: vectors.Case{Name: name, Class: class}, Kind: s.use, Bundle: encode(s.ca.BundleDocument(s.crls...)),
		Certificate: cert.Raw, Issuer: s.issuer.cert.Raw, Now: s.now,
	}
	if class == "" {
		v.Want = &vectors.CertificateWant{
			Thumbprint: sha256.Sum256(cert.Raw), IssuerSPKI: sha256.Sum256(s.issuer.cert.RawSubjectPublicKeyInfo), Serial: cert.SerialNumber.String(),
		}
		if !s.id.IsZero() {
			v.Want.ID = &s.id
		}
	}
	return v
}

func goodCertificates() []vectors.Certificate {
	var list []vectors.Certificate
	for _, g := range []struct{ name, use, service, label string }{
		{"a service node that calls", "client", service, "db-1"},
		{"a service node that serves", "server", service, "db-1"},
		{"a registry that calls", "client", "registry", "r1"},
		{"a registry that serves", "server", "registry", "r1"},
		{"a client", "client", "client", "carl"},
		{"an operator", "client", "operator", "olga"},
		{"a registry's signing certificate", "signing", "registry", "r1"},
		{"the authority's own server", "ca-server", "", ""},
	} {
		list = append(list, newSpecimen(g.use, g.service, g.label).vector(g.name, ""))
	}
	ed := newSpecimen("client", service, "db-1")
	ed.key = testca.EdKey("specimen").Public()
	fewer := newSpecimen("server", service, "db-1")
	fewer.leaf.DNSNames = nil
	inTime := newSpecimen("client", service, "db-1")
	inTime.now = now + day - hour + 60
	early := newSpecimen("client", service, "db-1")
	early.now = now - hour - 120
	other := newSpecimen("client", service, "db-1")
	other.now, other.crls = now, [][]byte{other.ca.CRL(1, &x509.Certificate{SerialNumber: big.NewInt(999)})}
	sameSerial := newSpecimen("client", service, "db-1")
	sameSerial.now = now
	sameSerial.crls = [][]byte{crl(sameSerial.ca.RegistryIssuer, registryKey(), sameSerial.leaf)}
	extra := newSpecimen("server", "registry", "r1")
	extra.leaf.DNSNames = append(extra.leaf.DNSNames, "r1.localhost")
	older := newSpecimen("client", service, "db-1")
	older.leaf.NotBefore = issued().Add(-10 * time.Minute)
	return append(list,
		extra.vector("a registry with a name below one of the issuer's extras", ""),
		older.vector("a certificate from before its issuer", ""),
		ed.vector("an Ed25519 key", ""),
		fewer.vector("fewer names than the profile allows", ""),
		inTime.vector("over by no more than clocks may differ", ""),
		early.vector("early by no more than clocks may differ", ""),
		other.vector("another serial number is revoked", ""),
		sameSerial.vector("another issuer revoked the same serial number", ""),
	)
}

type badLeaf struct {
	name                string
	use, service, label string
	spoil               func(*specimen, *x509.Certificate)
}

func badLeaves() []vectors.Certificate {
	const id = "spiffe://production.netget.internal/databaseservice/db-1"
	node := func(name string, spoil func(*x509.Certificate)) badLeaf {
		return badLeaf{name, "client", service, "db-1", func(_ *specimen, c *x509.Certificate) { spoil(c) }}
	}
	keyed := func(name string, key crypto.PublicKey) badLeaf {
		return badLeaf{name, "client", service, "db-1", func(s *specimen, _ *x509.Certificate) { s.key = key }}
	}
	usage := func(use, service, label, name string, spoil func(*x509.Certificate)) badLeaf {
		return badLeaf{name, use, service, label, func(_ *specimen, c *x509.Certificate) { spoil(c) }}
	}
	p384 := must(ecdsa.ParseRawPrivateKey(elliptic.P384(), append(make([]byte, 47), 5)))
	rows := []badLeaf{
		node("a leaf that is an authority", func(c *x509.Certificate) { c.IsCA, c.MaxPathLenZero = true, true }),
		node("a leaf with keyCertSign", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }),
		node("a leaf with cRLSign", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }),
		node("a leaf with name constraints", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} }),
		node("a leaf with an unknown critical extension", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}),
		node("two URI names", uri(id, id)),
		node("no URI name", sans(generalName(2, []byte("db-1.databaseservice.production.netget.internal")))),
		node("no names at all, the identity in the common name", func(c *x509.Certificate) { c.URIs, c.DNSNames, c.Subject.CommonName = nil, nil, id }),
		node("a name in the common name", func(c *x509.Certificate) { c.Subject.CommonName = "db-1.example.org" }),
		node("an address in the common name", func(c *x509.Certificate) { c.Subject.CommonName = "::1" }),
		node("an e-mail name", func(c *x509.Certificate) { c.EmailAddresses = []string{"db@production.netget.internal"} }),
		node("an otherName", sans(generalName(6, []byte(id)), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: []byte{6, 2, 42, 3, 0xa0, 3, 12, 1, 'x'}})),
		node("a directory name", sans(generalName(6, []byte(id)), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: []byte{0x30, 0}})),
		node("a registered id", sans(generalName(6, []byte(id)), generalName(8, []byte{42, 3}))),
		node("a sub-domain of the trust domain", uri("spiffe://evil.production.netget.internal/databaseservice/db-1")),
		node("an upper-case host", uri("spiffe://PRODUCTION.netget.internal/databaseservice/db-1")),
		node("a port", uri("spiffe://production.netget.internal:443/databaseservice/db-1")),
		node("user info", uri("spiffe://a:b@production.netget.internal/databaseservice/db-1")),
		node("a query", uri(id+"?x=y")),
		node("a fragment", uri(id+"#x")),
		node("an escape in the path", uri("spiffe://production.netget.internal/databaseservice/db%2D1")),
		node("another scheme", uri("https://production.netget.internal/databaseservice/db-1")),
		node("a reserved service", uri("spiffe://production.netget.internal/node/db-1")),
		node("a foreign DNS name", func(c *x509.Certificate) { c.DNSNames = []string{"db.example.org"} }),
		node("the DNS name of another node of the network", func(c *x509.Certificate) { c.DNSNames = []string{"db-2.databaseservice.production.netget.internal"} }),
		node("the DNS name of the network itself", func(c *x509.Certificate) { c.DNSNames = []string{"production.netget.internal"} }),
		node("a wildcard", func(c *x509.Certificate) { c.DNSNames = []string{"*.databaseservice.production.netget.internal"} }),
		node("an extra DNS name, which only registries have", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "localhost") }),
		node("an IP name, which only registries have", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }),
		node("no extended key usage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }),
		node("a usage too few", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }),
		node("a usage too many", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) }),
		node("any usage", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageAny) }),
		node("the usage of registries beside its own", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidRegistry()} }),
		node("an unknown usage beside its own", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 25, 610837421, 2}} }),
		usage("client", "client", "carl", "a client that may serve", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }),
		usage("client", "client", "carl", "a client with a DNS name", func(c *x509.Certificate) { c.DNSNames = []string{"carl.client.production.netget.internal"} }),
		usage("client", "operator", "olga", "an operator that may serve", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }),
		usage("server", "client", "carl", "a client that serves", func(*x509.Certificate) {}),
		usage("server", "registry", "r1", "a registry with an IP name that the issuer does not permit", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }),
		usage("server", "registry", "r1", "a registry with a DNS name that the issuer does not permit", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "example.org") }),
		usage("server", "registry", "r1", "a registry with the DNS name of a node", func(c *x509.Certificate) {
			c.DNSNames = append(c.DNSNames, "db-1.databaseservice.production.netget.internal")
		}),
		usage("server", "registry", "r1", "a registry with a wildcard below an extra", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "*.localhost") }),
		usage("signing", "registry", "r1", "a signing certificate with a DNS name", func(c *x509.Certificate) { c.DNSNames = []string{"r1.registry.production.netget.internal"} }),
		usage("signing", "registry", "r1", "a signing certificate with an IP name", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }),
		usage("signing", "registry", "r1", "a signing certificate that may call as well", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		usage("signing", "registry", "r1", "a signing certificate without its usage", func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil }),
		usage("signing", service, "db-1", "a signing certificate of a service node", func(*x509.Certificate) {}),
		keyed("an RSA key", rsaKey()),
		keyed("a P-384 key", p384.Public()),
		keyed("an Ed25519 key of small order", smallOrderKey()),
		keyed("an Ed25519 key that is not canonical", nonCanonicalKey()),
		keyed("an Ed25519 key that is no point", ed25519.PublicKey(append([]byte{2}, make([]byte, 31)...))),
		node("no subject key identifier", func(c *x509.Certificate) { c.SubjectKeyId = nil }),
	}
	var list []vectors.Certificate
	for _, r := range rows {
		s := newSpecimen(r.use, r.service, r.label)
		s.spoil = func(c *x509.Certificate) { r.spoil(s, c) }
		list = append(list, s.vector(r.name, identity.BadCert))
	}
	list = append(list, badAuthorities()...)
	noAKI := newSpecimen("client", service, "db-1")
	parent := *noAKI.issuer.cert
	parent.SubjectKeyId = nil
	noAKI.leaf, noAKI.alreadySpelt = certify(noAKI.leaf, &parent, noAKI.key, noAKI.issuer.key), true
	return append(list, noAKI.vector("no authority key identifier", identity.BadCert))
}

// badAuthorities are certificates that are not for the authority's own server.
func badAuthorities() []vectors.Certificate {
	ca := newCA()
	var list []vectors.Certificate
	for _, r := range []struct {
		name  string
		spoil func(*x509.Certificate)
		of    issuer
	}{
		{"an authority's server under another name", func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }, nodeIssuer(ca)},
		{"an authority's server with a foreign name", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "example.org") }, nodeIssuer(ca)},
		{"an authority's server with the name of registries", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, ca.TD.RegistryName()) }, nodeIssuer(ca)},
		{"an authority's server with an identity", func(c *x509.Certificate) {
			c.URIs = ca.Template(ca.ID("registry", "r1")).URIs
		}, nodeIssuer(ca)},
		{"an authority's server that may call", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) }, nodeIssuer(ca)},
		{"an authority's server under the registry issuer", func(*x509.Certificate) {}, registryIssuer(ca)},
	} {
		key, good := ca.CAServer()
		leaf := *good
		leaf.ExtraExtensions, leaf.AuthorityKeyId = nil, nil
		r.spoil(&leaf)
		s := &specimen{ca: ca, use: "ca-server", key: key.Public(), issuer: r.of, leaf: r.of.sign(&leaf, key.Public()), alreadySpelt: true}
		list = append(list, s.vector(r.name, identity.BadCert))
	}
	return list
}

func badIssuers() []vectors.Certificate {
	var list []vectors.Certificate
	add := func(name, use string, of func(*specimen) issuer) {
		label := map[string][2]string{"client": {service, "db-1"}, "signing": {"registry", "r1"}}[use]
		s := newSpecimen(use, label[0], label[1])
		s.issuer = of(s)
		list = append(list, s.vector(name, identity.BadCert))
	}
	spoilt := func(name string, edit func(*x509.Certificate)) {
		add(name, "client", func(s *specimen) issuer { return newIssuer(s.ca, s.ca.Root, rootKey(), edit) })
	}
	add("a node under the registry issuer", "client", func(s *specimen) issuer { return registryIssuer(s.ca) })
	add("a signing certificate under the node issuer", "signing", func(s *specimen) issuer { return nodeIssuer(s.ca) })
	add("a node under the root itself", "client", func(s *specimen) issuer { return issuer{s.ca.Root, rootKey()} })
	add("an issuer of another root with the same names", "client", func(*specimen) issuer {
		rogue := testca.New(network, "another", issued())
		return issuer{rogue.NodeIssuer, testca.Key("another/node")}
	})
	add("an issuer under an issuer", "client", func(s *specimen) issuer {
		return newIssuer(s.ca, s.ca.NodeIssuer, nodeKey())
	})
	add("an issuer that signed itself", "client", func(s *specimen) issuer {
		key := testca.Key("rogue")
		return newIssuerKey(s.ca, key, &x509.Certificate{Subject: pkix.Name{CommonName: "netget another issuer"}}, key)
	})
	add("an issuer with the root's name, signed by another key", "client", func(s *specimen) issuer {
		return newIssuer(s.ca, s.ca.Root, testca.Key("another/root"))
	})
	add("the issuer of another network under the same root", "client", func(s *specimen) issuer {
		return newIssuer(s.ca, s.ca.Root, rootKey(), func(c *x509.Certificate) { c.PermittedURIDomains = []string{"development.netget.internal"} })
	})
	add("an issuer with an Ed25519 key", "client", func(s *specimen) issuer {
		return newIssuerKey(s.ca, testca.EdKey("issuer"), s.ca.Root, rootKey())
	})
	add("a leaf that another key signed in the issuer's name", "client", func(s *specimen) issuer {
		return issuer{s.ca.NodeIssuer, testca.Key("forger")}
	})
	spoilt("an issuer without constraints", unconstrained)
	spoilt("an issuer whose constraints are not critical", func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false })
	spoilt("an issuer for two networks", func(c *x509.Certificate) {
		c.PermittedURIDomains = append(c.PermittedURIDomains, "development.netget.internal")
	})
	spoilt("an issuer for sub-domains too", func(c *x509.Certificate) { c.PermittedURIDomains = []string{".production.netget.internal"} })
	spoilt("an issuer without a constraint on DNS names", func(c *x509.Certificate) { c.PermittedDNSDomains = nil })
	spoilt("an issuer without a constraint on IP names", func(c *x509.Certificate) { c.PermittedIPRanges = nil })
	spoilt("an issuer without a constraint on e-mail names", func(c *x509.Certificate) { c.PermittedEmailAddresses = nil })
	spoilt("an issuer that may have issuers below it", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 1, false })
	spoilt("an issuer that is no authority", func(c *x509.Certificate) { c.IsCA, c.MaxPathLen, c.MaxPathLenZero = false, 0, false })
	spoilt("an issuer without usages", func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	spoilt("an issuer for any usage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
	spoilt("an issuer for nodes and registries", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidRegistry()} })
	spoilt("an issuer that may not sign certificates", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	spoilt("a chain of more than 16 KiB", huge)
	return list
}

func badMoments() []vectors.Certificate {
	at := func(name string, class identity.Code, t int64, prepare func(*specimen)) vectors.Certificate {
		s := newSpecimen("client", service, "db-1")
		s.now = t
		if prepare != nil {
			prepare(s)
		}
		return s.vector(name, class)
	}
	return []vectors.Certificate{
		at("a certificate that is over", identity.BadTime, now-hour+day+61, nil),
		at("a certificate that is not valid yet", identity.BadTime, now-hour-121, nil),
		at("an issuer that is over", identity.BadTime, now, func(s *specimen) {
			s.issuer = newIssuer(s.ca, s.ca.Root, rootKey(), func(c *x509.Certificate) { c.NotAfter = issued().Add(30 * time.Minute) })
		}),
		at("a revoked certificate", identity.Revoked, now, func(s *specimen) { s.crls = [][]byte{s.ca.CRL(1, s.leaf)} }),
		at("a revoked issuer", identity.Revoked, now, func(s *specimen) { s.crls = [][]byte{crl(s.ca.Root, rootKey(), s.issuer.cert)} }),
		at("revoked on the newer of two lists", identity.Revoked, now, func(s *specimen) { s.crls = [][]byte{s.ca.CRL(2, s.leaf), s.ca.CRL(1)} }),
	}
}
