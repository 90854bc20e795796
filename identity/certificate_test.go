package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// certify signs a certificate as it stands: testca's own keys are made of
// names, so that a test can spoil issuers too.
func certify(template, issuer *x509.Certificate, key crypto.PublicKey, issuerKey crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, issuerKey)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func uris(texts ...string) []*url.URL {
	list := make([]*url.URL, 0, len(texts))
	for _, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		list = append(list, u)
	}
	return list
}

// sans replaces the names of a certificate by general names as they stand.
func sans(names ...asn1.RawValue) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		value, err := asn1.Marshal(names)
		if err != nil {
			panic(err)
		}
		c.URIs, c.DNSNames, c.IPAddresses = nil, nil, nil
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
}

// trailingNames puts bytes behind the sequence of names.
func trailingNames(c *x509.Certificate) {
	sans(generalName(6, dbURI))(c)
	last := &c.ExtraExtensions[len(c.ExtraExtensions)-1]
	last.Value = append(last.Value, 5, 0)
}

func generalName(tag int, content string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(content)}
}

func extension(critical bool, value []byte, arcs ...int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: arcs, Critical: critical, Value: value})
	}
}

const dbURI = "spiffe://production.netget.internal/databaseservice/db-1"

func TestProfile(t *testing.T) {
	const td = "production.netget.internal"
	names := func(dns ...string) func(*x509.Certificate) { return func(c *x509.Certificate) { c.DNSNames = dns } }
	usage := func(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	uri := func(texts ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.URIs, c.DNSNames = uris(texts...), nil }
	}
	name := func(cn string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject.CommonName = cn }
	}
	ips := func(list ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.IPAddresses = nil
			for _, ip := range list {
				c.IPAddresses = append(c.IPAddresses, net.ParseIP(ip))
			}
		}
	}
	registryOID := func(c *x509.Certificate) {
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 25, 610837421, 1}}
	}
	constrained, err := asn1.Marshal(struct {
		Permitted []struct{ Base asn1.RawValue } `asn1:"tag:0"`
	}{[]struct{ Base asn1.RawValue }{{generalName(6, td)}}})
	if err != nil {
		t.Fatal(err)
	}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	rows := []struct {
		name    string
		service string
		use     identity.Usage
		edit    func(*x509.Certificate)
		bad     bool
	}{
		{"accepts a service that calls", "databaseservice", identity.ClientUse, nil, false},
		{"accepts a service that serves", "databaseservice", identity.ServerUse, nil, false},
		{"accepts a registry that calls", "registry", identity.ClientUse, nil, false},
		{"accepts a registry that serves", "registry", identity.ServerUse, nil, false},
		{"accepts a client", "client", identity.ClientUse, nil, false},
		{"accepts an operator", "operator", identity.ClientUse, nil, false},
		{"accepts fewer names", "databaseservice", identity.ServerUse, names(), false},
		{"accepts a registry's extras", "registry", identity.ServerUse, names("localhost", "a.localhost"), false},
		{"refuses a plain common name", "databaseservice", identity.ClientUse, name("db-2"), true},
		{"refuses a client that serves", "client", identity.ServerUse, nil, true},
		{"refuses an operator that serves", "operator", identity.ServerUse, nil, true},
		{"refuses a service that signs heads", "databaseservice", identity.SigningUse, nil, true},
		{"refuses a registry's TLS certificate for heads", "registry", identity.SigningUse, nil, true},
		{"refuses a node as the authority", "registry", identity.CAServerUse, nil, true},
		{"refuses an unknown use", "databaseservice", identity.Usage(9), nil, true},
		{"refuses no use", "databaseservice", identity.Usage(0), nil, true},

		{"refuses no URI", "databaseservice", identity.ClientUse, uri(), true},
		{"refuses two URIs", "databaseservice", identity.ClientUse, uri(dbURI, "spiffe://"+td+"/databaseservice/db-2"), true},
		{"refuses the same URI twice", "databaseservice", identity.ClientUse, uri(dbURI, dbURI), true},
		{"refuses a URI with a foreign DNS name", "databaseservice", identity.ClientUse, names("example.org"), true},
		{"refuses a sub-domain of the trust domain", "databaseservice", identity.ClientUse, uri("spiffe://a." + td + "/databaseservice/db-1"), true},
		{"refuses a parent of the trust domain", "databaseservice", identity.ClientUse, uri("spiffe://netget.internal/databaseservice/db-1"), true},
		{"refuses an upper-case host", "databaseservice", identity.ClientUse, uri("spiffe://Production.netget.internal/databaseservice/db-1"), true},
		{"refuses a port", "databaseservice", identity.ClientUse, uri("spiffe://" + td + ":443/databaseservice/db-1"), true},
		{"refuses user info", "databaseservice", identity.ClientUse, uri("spiffe://u@" + td + "/databaseservice/db-1"), true},
		{"refuses a query", "databaseservice", identity.ClientUse, uri(dbURI + "?x"), true},
		{"refuses a fragment", "databaseservice", identity.ClientUse, uri(dbURI + "#x"), true},
		{"refuses an escaped path", "databaseservice", identity.ClientUse, sans(generalName(6, "spiffe://"+td+"/databaseservice/%64b-1")), true},
		{"refuses a third path segment", "databaseservice", identity.ClientUse, uri(dbURI + "/x"), true},
		{"refuses a reserved service", "databaseservice", identity.ClientUse, uri("spiffe://" + td + "/ca/db-1"), true},
		{"refuses another scheme", "databaseservice", identity.ClientUse, uri("https://" + td + "/databaseservice/db-1"), true},

		{"refuses an authority as a leaf", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.IsCA, c.MaxPathLen = true, -1 }, true},
		{"refuses keyCertSign in a leaf", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, true},
		{"refuses cRLSign in a leaf", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }, true},
		{"refuses constraints in a leaf", "databaseservice", identity.ClientUse, extension(false, constrained, 2, 5, 29, 30), true},
		{"refuses an unknown critical extension", "databaseservice", identity.ClientUse, extension(true, []byte{5, 0}, 1, 2, 3), true},
		{"refuses an e-mail name", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.EmailAddresses = []string{"a@" + td} }, true},
		{"refuses an otherName", "databaseservice", identity.ClientUse, sans(generalName(6, dbURI), asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: []byte{6, 1, 42, 0xA0, 2, 5, 0}}), true},
		{"refuses a directory name", "databaseservice", identity.ClientUse, sans(generalName(6, dbURI), asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: []byte{0x30, 0}}), true},
		{"refuses a registered id", "databaseservice", identity.ClientUse, sans(generalName(6, dbURI), generalName(8, "\x2a")), true},
		{"refuses a name of no kind", "databaseservice", identity.ClientUse, sans(generalName(6, dbURI), asn1.RawValue{Tag: 2, Bytes: []byte{1}}), true},
		{"refuses bytes after the names", "databaseservice", identity.ClientUse, trailingNames, true},
		{"accepts a leaf that began before its issuer", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.NotBefore = now.Add(-time.Hour) }, false},
		{"refuses a host as common name", "databaseservice", identity.ClientUse, name("db-1." + td), true},
		{"refuses an identity as common name", "databaseservice", identity.ClientUse, name(dbURI), true},
		{"refuses an IPv6 address as common name", "databaseservice", identity.ClientUse, name("::1"), true},
		{"refuses an e-mail as common name", "databaseservice", identity.ClientUse, name("a@b"), true},

		{"refuses a service's IP name", "databaseservice", identity.ServerUse, ips("127.0.0.1"), true},
		{"refuses a client's DNS name", "client", identity.ClientUse, names("n-1.client." + td), true},
		{"refuses an extra of the network for a service", "databaseservice", identity.ServerUse, names("localhost"), true},
		{"refuses another node's DNS name", "databaseservice", identity.ServerUse, names("db-2.databaseservice." + td), true},
		{"refuses the registries' DNS name for a service", "databaseservice", identity.ServerUse, names("registry." + td), true},
		{"refuses the authority's DNS name for a registry", "registry", identity.ServerUse, names("ca." + td), true},
		{"refuses the trust domain as a registry's DNS name", "registry", identity.ServerUse, names(td), true},
		{"refuses a wildcard", "registry", identity.ServerUse, names("*.localhost"), true},
		{"refuses a registry's IP outside the network's", "registry", identity.ServerUse, ips("10.0.0.1"), true},

		{"refuses no extended usage", "databaseservice", identity.ClientUse, usage(), true},
		{"refuses any usage", "databaseservice", identity.ClientUse, usage(x509.ExtKeyUsageAny), true},
		{"refuses any usage beside the right ones", "databaseservice", identity.ClientUse, usage(append(both[:2:2], x509.ExtKeyUsageAny)...), true},
		{"refuses code signing beside the right ones", "databaseservice", identity.ClientUse, usage(append(both[:2:2], x509.ExtKeyUsageCodeSigning)...), true},
		{"refuses a service without serverAuth", "databaseservice", identity.ClientUse, usage(x509.ExtKeyUsageClientAuth), true},
		{"refuses a service without clientAuth", "databaseservice", identity.ServerUse, usage(x509.ExtKeyUsageServerAuth), true},
		{"refuses a client with serverAuth", "client", identity.ClientUse, usage(both...), true},
		{"refuses netgetRegistry in a node's", "registry", identity.ServerUse, registryOID, true},
		{"refuses an unknown usage in a node's", "databaseservice", identity.ClientUse, func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			ca := testca.New("production", "a", now)
			label := "db-1"
			if row.service != "databaseservice" {
				label = "n-1"
			}
			edit := row.edit
			if edit == nil {
				edit = func(*x509.Certificate) {}
			}
			leaf := ca.Leaf(ca.ID(row.service, label), testca.Key("x").Public(), edit)
			checkVerdict(t, ca.Bundle(), leaf, ca.NodeIssuer, row.use, row.bad)
		})
	}
}

func checkVerdict(t *testing.T, b *identity.Bundle, leaf, issuer *x509.Certificate, use identity.Usage, bad bool) {
	t.Helper()
	cert, err := b.Verify(leaf, issuer, use)
	switch {
	case bad && identity.CodeOf(err) != identity.BadCert:
		t.Errorf("got %v, want %s", err, identity.BadCert)
	case !bad && err != nil:
		t.Error(err)
	case !bad && (cert.Leaf() != leaf || cert.Issuer() != issuer || cert.Thumbprint() != identity.Thumbprint(leaf)):
		t.Error("the certificate holds others than were verified")
	}
}

func TestProfileOfKeys(t *testing.T) {
	ca := testca.New("production", "a", now)
	id := ca.ID("databaseservice", "db-1")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := make([]byte, 32)
	small[0] = 1
	for name, row := range map[string]struct {
		key crypto.PublicKey
		bad bool
	}{
		"accepts P-256":               {testca.Key("x").Public(), false},
		"accepts Ed25519":             {testca.EdKey("x").Public(), false},
		"refuses RSA":                 {rsaKey.Public(), true},
		"refuses P-384":               {p384.Public(), true},
		"refuses small-order Ed25519": {ed25519.PublicKey(small), true},
	} {
		t.Run(name, func(t *testing.T) {
			checkVerdict(t, ca.Bundle(), ca.Leaf(id, row.key), ca.NodeIssuer, identity.ClientUse, row.bad)
		})
	}
	if err := identity.CheckKey("no key"); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("CheckKey of a string = %v", err)
	}
}

func TestProfileNeedsKeyIdentifiers(t *testing.T) {
	ca := testca.New("production", "a", now)
	id := ca.ID("databaseservice", "db-1")
	template := ca.Leaf(id, testca.Key("x").Public())
	blank := *template
	blank.SubjectKeyId, blank.Extensions = nil, nil
	leaf := certify(&blank, ca.NodeIssuer, testca.Key("x").Public(), testca.Key("a/node"))
	checkVerdict(t, ca.Bundle(), leaf, ca.NodeIssuer, identity.ClientUse, true)

	parent := *ca.NodeIssuer
	parent.SubjectKeyId = nil // so that the leaf gets no AuthorityKeyId
	orphan := *template
	orphan.AuthorityKeyId, orphan.Extensions = nil, nil
	leaf = certify(&orphan, &parent, testca.Key("x").Public(), testca.Key("a/node"))
	if len(leaf.AuthorityKeyId) != 0 {
		t.Fatal("the leaf has an AuthorityKeyId")
	}
	checkVerdict(t, ca.Bundle(), leaf, ca.NodeIssuer, identity.ClientUse, true)
}

func TestProfileOfSigning(t *testing.T) {
	ca := testca.New("production", "a", now)
	registry := ca.ID("registry", "one")
	key := testca.Key("x").Public()
	oid := []asn1.ObjectIdentifier{{2, 25, 610837421, 1}}
	signing := func(id identity.NodeID, edit func(*x509.Certificate)) *x509.Certificate {
		leaf := ca.Template(id)
		leaf.UnknownExtKeyUsage = oid
		edit(leaf)
		return leaf
	}
	same := func(*x509.Certificate) {}
	rows := []struct {
		name   string
		leaf   *x509.Certificate
		issuer *x509.Certificate
		use    identity.Usage
		bad    bool
	}{
		{"accepts a registry's", ca.SignWithRegistryIssuer(signing(registry, same), key), ca.RegistryIssuer, identity.SigningUse, false},
		{"refuses a service's", ca.SignWithRegistryIssuer(signing(ca.ID("databaseservice", "db-1"), same), key), ca.RegistryIssuer, identity.SigningUse, true},
		{"refuses one by the node issuer", ca.SignWithNodeIssuer(signing(registry, same), key), ca.NodeIssuer, identity.SigningUse, true},
		{"refuses clientAuth beside it", ca.SignWithRegistryIssuer(signing(registry, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}), key), ca.RegistryIssuer, identity.SigningUse, true},
		{"refuses DNS names", ca.SignWithRegistryIssuer(signing(registry, func(c *x509.Certificate) { c.DNSNames = registry.DNSNames() }), key), ca.RegistryIssuer, identity.SigningUse, true},
		{"refuses IP names", ca.SignWithRegistryIssuer(signing(registry, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }), key), ca.RegistryIssuer, identity.SigningUse, true},
		{"refuses a signing certificate as a caller's", ca.SignWithRegistryIssuer(signing(registry, same), key), ca.RegistryIssuer, identity.ClientUse, true},
		{"refuses a signing certificate as a server's", ca.SignWithRegistryIssuer(signing(registry, same), key), ca.RegistryIssuer, identity.ServerUse, true},
		{"refuses a node's by the registry issuer", ca.SignWithRegistryIssuer(ca.Leaf(registry, key), key), ca.RegistryIssuer, identity.ClientUse, true},
		{"refuses a service's by the registry issuer", ca.SignWithRegistryIssuer(ca.Leaf(ca.ID("databaseservice", "db-1"), key), key), ca.RegistryIssuer, identity.ServerUse, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { checkVerdict(t, ca.Bundle(), row.leaf, row.issuer, row.use, row.bad) })
	}
}
