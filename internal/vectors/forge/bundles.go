package forge

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

// bundles are the vectors of trust bundles by themselves.
func bundles() []vectors.Certificate {
	var list []vectors.Certificate
	add := func(class identity.Code, name string, change func(*testca.Authority, *identity.BundleDocument), crls string) {
		ca := newCA()
		d := ca.BundleDocument()
		if change != nil {
			change(ca, &d)
		}
		v := vectors.Certificate{Case: vectors.Case{Name: name, Class: class}, Kind: "bundle", Bundle: encode(d)}
		if class == "" {
			v.Want = &vectors.CertificateWant{NID: sha256.Sum256(ca.Root.RawSubjectPublicKeyInfo), CRLs: hashOf(crls)}
		}
		list = append(list, v)
	}
	spki := identity.SPKIHash(newCA().NodeIssuer).String()
	add("", "a bundle without revocation lists", nil, "[]")
	add("", "a bundle with a revocation list", func(ca *testca.Authority, d *identity.BundleDocument) { d.CRLs = [][]byte{ca.CRL(7)} }, `[["`+spki+`","7"]]`)
	add("", "a bundle with two lists of one issuer, of which the newer counts", func(ca *testca.Authority, d *identity.BundleDocument) {
		d.CRLs = [][]byte{ca.CRL(9), ca.CRL(7)}
	}, `[["`+spki+`","9"]]`)
	add("", "a bundle with a second root that the first handed over to", func(ca *testca.Authority, d *identity.BundleDocument) {
		next, handover := newRoot(ca, rootKey())
		d.Roots, d.Handovers = append(d.Roots, next.cert.Raw), [][]byte{handover}
	}, "[]")

	add(identity.BadCert, "a second root without a hand-over", func(ca *testca.Authority, d *identity.BundleDocument) {
		next, _ := newRoot(ca, rootKey())
		d.Roots = append(d.Roots, next.cert.Raw)
	}, "")
	add(identity.BadCert, "a hand-over that the first root did not sign", func(ca *testca.Authority, d *identity.BundleDocument) {
		next, handover := newRoot(ca, testca.Key("forger"))
		d.Roots, d.Handovers = append(d.Roots, next.cert.Raw), [][]byte{handover}
	}, "")
	add(identity.BadCert, "a hand-over to another key", func(ca *testca.Authority, d *identity.BundleDocument) {
		next, _ := newRoot(ca, rootKey())
		d.Roots, d.Handovers = append(d.Roots, next.cert.Raw), [][]byte{ca.Root.Raw}
	}, "")
	add(identity.BadCert, "a hand-over that is no authority", func(ca *testca.Authority, d *identity.BundleDocument) {
		next, _ := newRoot(ca, rootKey())
		t := rootTemplate()
		t.IsCA, t.KeyUsage, t.MaxPathLen = false, x509.KeyUsageDigitalSignature, 0
		d.Roots, d.Handovers = append(d.Roots, next.cert.Raw), [][]byte{certify(t, ca.Root, next.key.Public(), rootKey()).Raw}
	}, "")
	add(identity.WrongNetwork, "a nid that is not the first root's", func(_ *testca.Authority, d *identity.BundleDocument) { d.NID = hashOf("root") }, "")
	add(identity.WrongNetwork, "a registry of another network", func(_ *testca.Authority, d *identity.BundleDocument) {
		d.Registries = []identity.RegistryEntry{{Registry: testca.New("development", "x", issued()).ID("registry", "r1"), Addresses: []string{}}}
	}, "")
	add(identity.BadCert, "an issuer of another root", func(_ *testca.Authority, d *identity.BundleDocument) {
		d.Issuers = append(d.Issuers, testca.New(network, "another", issued()).NodeIssuer.Raw)
	}, "")
	add(identity.BadCert, "a node in place of an issuer", func(ca *testca.Authority, d *identity.BundleDocument) {
		d.Issuers = append(d.Issuers, ca.Issue(ca.ID(service, "db-1")).Leaf().Raw)
	}, "")
	add(identity.BadCert, "a revocation list of another authority", func(_ *testca.Authority, d *identity.BundleDocument) {
		d.CRLs = [][]byte{testca.New(network, "another", issued()).CRL(1)}
	}, "")
	add(identity.BadCert, "a revocation list that another key signed", func(ca *testca.Authority, d *identity.BundleDocument) {
		forged := *ca.NodeIssuer
		forged.PublicKey = testca.Key("forger").Public()
		d.CRLs = [][]byte{crl(1, &forged, testca.Key("forger"))}
	}, "")
	add(identity.BadCert, "something that is no revocation list", func(_ *testca.Authority, d *identity.BundleDocument) { d.CRLs = [][]byte{{1, 2, 3}} }, "")
	add(identity.Limits, "no root", func(_ *testca.Authority, d *identity.BundleDocument) { d.Roots = [][]byte{} }, "")
	add(identity.Malformed, "an upper-case network", func(_ *testca.Authority, d *identity.BundleDocument) { d.Network = "Production" }, "")
	return list
}

func rootTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2000), Subject: pkix.Name{CommonName: "netget next root"},
		NotBefore: issued(), NotAfter: issued().Add(10 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SubjectKeyId: keyID(testca.Key("next root").Public()),
	}
}

// newRoot returns the next root, with the certificate for its key that by
// signed in the present root's name.
func newRoot(ca *testca.Authority, by crypto.Signer) (root issuer, handover []byte) {
	key := testca.Key("next root")
	self := certify(rootTemplate(), rootTemplate(), key.Public(), key)
	return issuer{self, key}, certify(rootTemplate(), ca.Root, key.Public(), by).Raw
}
