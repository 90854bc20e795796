package identity_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestProfileOfTheAuthority(t *testing.T) {
	const td = "production.netget.internal"
	rows := []struct {
		name string
		edit func(*x509.Certificate)
		bad  bool
	}{
		{"accepts its own server", func(*x509.Certificate) {}, false},
		{"accepts its name alone", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"ca." + td}, nil }, false},
		{"refuses it without its name", func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }, true},
		{"refuses another name of the network", func(c *x509.Certificate) { c.DNSNames = []string{"ca." + td, "registry." + td} }, true},
		{"refuses another name", func(c *x509.Certificate) { c.DNSNames = []string{"ca." + td, "example.org"} }, true},
		{"refuses an identity beside it", func(c *x509.Certificate) { c.URIs = uris(dbURI) }, true},
		{"refuses clientAuth", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) }, true},
		{"refuses a directory name", func(c *x509.Certificate) {
			sans(generalName(2, "ca."+td), asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: []byte{0x30, 0}})(c)
		}, true},
		{"refuses an e-mail name", func(c *x509.Certificate) { c.EmailAddresses = []string{"a@" + td} }, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			ca := testca.New("production", "a", now)
			key, good := ca.CAServer()
			template := *good
			template.Extensions = nil
			row.edit(&template)
			leaf := certify(&template, ca.NodeIssuer, key.Public(), testca.Key("a/node"))
			checkVerdict(t, ca.Bundle(), leaf, ca.NodeIssuer, identity.CAServerUse, row.bad)
		})
	}
	ca := testca.New("production", "a", now)
	key, good := ca.CAServer()
	template := *good
	template.Extensions = nil
	half := *ca.NodeIssuer
	half.Extensions, half.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serverOnly := certify(&half, ca.Root, ca.NodeIssuer.PublicKey, testca.Key("a/root"))
	checkVerdict(t, ca.Bundle(), certify(&template, serverOnly, key.Public(), testca.Key("a/node")), serverOnly, identity.CAServerUse, true)
	leaf := certify(&template, ca.RegistryIssuer, key.Public(), testca.Key("a/registry"))
	checkVerdict(t, ca.Bundle(), leaf, ca.RegistryIssuer, identity.CAServerUse, true)
}

func TestProfileOfIssuers(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const td = "production.netget.internal"
	rows := []struct {
		name string
		key  crypto.Signer
		edit func(*x509.Certificate)
		bad  bool
	}{
		{"accepts the network's", nil, func(*x509.Certificate) {}, false},
		{"refuses one that is no authority", nil, func(c *x509.Certificate) { c.IsCA, c.MaxPathLen, c.MaxPathLenZero = false, -1, false }, true},
		{"refuses one of path length 1", nil, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 1, false }, true},
		{"refuses one of any path length", nil, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = -1, false }, true},
		{"refuses constraints that are not critical", nil, func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false }, true},
		{"refuses one without URI constraint", nil, func(c *x509.Certificate) { c.PermittedURIDomains = nil }, true},
		{"refuses one with a second URI constraint", nil, func(c *x509.Certificate) { c.PermittedURIDomains = []string{td, "example.org"} }, true},
		{"refuses one of sub-domains", nil, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"." + td} }, true},
		{"refuses one without DNS constraint", nil, func(c *x509.Certificate) { c.PermittedDNSDomains = nil }, true},
		{"refuses one without IP constraint", nil, func(c *x509.Certificate) { c.PermittedIPRanges = nil }, true},
		{"refuses one without e-mail constraint", nil, func(c *x509.Certificate) { c.PermittedEmailAddresses = nil }, true},
		{"refuses one without serverAuth", nil, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }, true},
		{"refuses one with netgetRegistry", nil, func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 25, 610837421, 1}} }, true},
		{"refuses one without keyCertSign", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, true},
		{"refuses an RSA key", rsaKey, func(*x509.Certificate) {}, true},
		{"refuses an Ed25519 key", testca.EdKey("issuer"), func(*x509.Certificate) {}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			ca := testca.New("production", "a", now)
			key := row.key
			if key == nil {
				key = testca.Key("a/node")
			}
			template := *ca.NodeIssuer
			template.Extensions, template.ExtraExtensions = nil, nil
			template.ExtKeyUsage = append([]x509.ExtKeyUsage{}, template.ExtKeyUsage...)
			row.edit(&template)
			issuer := certify(&template, ca.Root, key.Public(), testca.Key("a/root"))
			leaf := *ca.Leaf(ca.ID("databaseservice", "db-1"), testca.Key("x").Public())
			leaf.Extensions, leaf.SignatureAlgorithm, leaf.DNSNames = nil, 0, nil
			checkVerdict(t, ca.Bundle(), certify(&leaf, issuer, testca.Key("x").Public(), key), issuer, identity.ServerUse, row.bad)
		})
	}
}

func TestVerifyRefusesChains(t *testing.T) {
	ca, other := testca.New("production", "a", now), testca.New("production", "b", now)
	id := ca.ID("databaseservice", "db-1")
	good := ca.Issue(id)
	foreign := other.Issue(id)
	development := testca.New("development", "a", now)
	huge := ca.Leaf(id, testca.Key("x").Public(), extension(false, make([]byte, 16<<10), 1, 2, 3))
	wrongKey := certify(good.Leaf(), ca.NodeIssuer, testca.Key("x").Public(), testca.Key("a/node"))
	rows := []struct {
		name         string
		leaf, issuer *x509.Certificate
	}{
		{"another root of the same name", foreign.Leaf(), foreign.Issuer()},
		{"a leaf under another root's issuer", foreign.Leaf(), good.Issuer()},
		{"an issuer that did not sign", good.Leaf(), foreign.Issuer()},
		{"another network of the same keys", development.Issue(development.ID("databaseservice", "db-1")).Leaf(), development.NodeIssuer},
		{"more than 16 KiB", huge, good.Issuer()},
		{"the root in place of the issuer", good.Leaf(), ca.Root},
		{"the leaf as its own issuer", good.Leaf(), good.Leaf()},
		{"a flipped bit in the signature", flipSignature(wrongKey), good.Issuer()},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			checkVerdict(t, ca.Bundle(), row.leaf, row.issuer, identity.ClientUse, true)
		})
	}
	b := ca.Bundle()
	checkVerdict(t, b, good.Leaf(), good.Issuer(), identity.ClientUse, false)
	checkVerdict(t, b, good.Leaf(), good.Issuer(), identity.SigningUse, true) // known for one use is not known for another
	checkVerdict(t, b, good.Leaf(), foreign.Issuer(), identity.ClientUse, true)
}

func flipSignature(c *x509.Certificate) *x509.Certificate {
	der := append([]byte{}, c.Raw...)
	der[len(der)-3] ^= 1
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func TestCertificateTime(t *testing.T) {
	ca := testca.New("production", "a", now)
	leaf := ca.Leaf(ca.ID("databaseservice", "db-1"), testca.Key("x").Public(), func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = now, now.Add(time.Hour)
	})
	cert, err := ca.Bundle().Verify(leaf, ca.NodeIssuer, identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]identity.Code{
		-61 * time.Second: identity.BadTime, -60 * time.Second: "", 0: "", time.Hour + 60*time.Second: "", time.Hour + 61*time.Second: identity.BadTime,
	} {
		if err := cert.CheckTime(now.Add(at)); identity.CodeOf(err) != want {
			t.Errorf("at %s: got %v, want %q", at, err, want)
		}
	}
	if got := cert.Expires(); !got.Equal(now.Add(time.Hour + time.Minute)) {
		t.Errorf("it expires at %s", got)
	}
	outlived, err := ca.Bundle().Verify(ca.Leaf(ca.ID("databaseservice", "db-1"), testca.Key("x").Public(), func(c *x509.Certificate) {
		c.NotAfter = now.Add(20 * 365 * 24 * time.Hour)
	}), ca.NodeIssuer, identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	if got := outlived.Expires(); !got.Equal(ca.NodeIssuer.NotAfter.Add(time.Minute)) {
		t.Errorf("a leaf that outlives its issuer expires at %s", got)
	}
	if err := outlived.CheckTime(ca.NodeIssuer.NotAfter.Add(2 * time.Minute)); identity.CodeOf(err) != identity.BadTime {
		t.Errorf("after the issuer's end: got %v, want %s", err, identity.BadTime)
	}
	if got := cert.Serial(); got.Issuer != identity.SPKIHash(ca.NodeIssuer) || got.Number != leaf.SerialNumber.String() {
		t.Errorf("the serial is %v", got)
	}
}

func TestNewCredentialRefuses(t *testing.T) {
	ca := testca.New("production", "a", now)
	id := ca.ID("databaseservice", "db-1")
	leaf := ca.Leaf(id, testca.Key("x").Public())
	if _, err := identity.NewCredential(testca.Key("y"), leaf, ca.NodeIssuer); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("another key: got %v", err)
	}
	edLeaf := ca.Leaf(id, testca.EdKey("x").Public())
	if _, err := identity.NewCredential(testca.EdKey("y"), edLeaf, ca.NodeIssuer); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("another Ed25519 key: got %v", err)
	}
	if _, err := identity.NewCredential(testca.EdKey("x"), leaf, ca.NodeIssuer); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("another kind of key: got %v", err)
	}
	key, server := ca.CAServer()
	if _, err := identity.NewCredential(key, server, ca.NodeIssuer); identity.CodeOf(err) != identity.BadCert {
		t.Errorf("a certificate of no node: got %v", err)
	}
}
