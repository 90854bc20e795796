package forge

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
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
	add("", "a bundle with two lists of one issuer, the newer one last", func(ca *testca.Authority, d *identity.BundleDocument) {
		d.CRLs = [][]byte{ca.CRL(7), ca.CRL(9)}
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
	handover := func(name string, change func(*x509.Certificate), key crypto.PublicKey) {
		add(identity.BadCert, name, func(ca *testca.Authority, d *identity.BundleDocument) {
			next, _ := newRoot(ca, rootKey())
			t := rootTemplate()
			change(t)
			d.Roots, d.Handovers = append(d.Roots, next.cert.Raw), [][]byte{certify(t, ca.Root, key, rootKey()).Raw}
		}, "")
	}
	next := testca.Key("next root").Public()
	handover("a hand-over to another key", func(*x509.Certificate) {}, testca.Key("another root").Public())
	handover("a hand-over to another name", func(t *x509.Certificate) { t.Subject.CommonName = "another root" }, next)
	handover("a hand-over that is no authority", func(t *x509.Certificate) { t.IsCA, t.MaxPathLen = false, 0 }, next)
	handover("a hand-over that may not sign certificates", func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageCRLSign }, next)
	root := func(name string, forge func(*testca.Authority) []byte) {
		add(identity.BadCert, name, func(ca *testca.Authority, d *identity.BundleDocument) { d.Roots = [][]byte{forge(ca)} }, "")
	}
	root("a root that is no certificate", func(*testca.Authority) []byte { return []byte("no certificate") })
	root("a root that did not sign itself", func(ca *testca.Authority) []byte {
		return certify(ca.Root, ca.Root, ca.Root.PublicKey, testca.Key("forger")).Raw
	})
	root("a root of more than 16 KiB", func(ca *testca.Authority) []byte {
		t := *ca.Root
		huge(&t)
		return certify(&t, &t, t.PublicKey, rootKey()).Raw
	})
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
		d.CRLs = [][]byte{crl(&forged, testca.Key("forger"))}
	}, "")
	for _, c := range []struct {
		name       string
		extensions []pkix.Extension
	}{
		{"a revocation list without its number", []pkix.Extension{keyIDOf(newCA().NodeIssuer)}},
		{"a revocation list with a negative number", []pkix.Extension{keyIDOf(newCA().NodeIssuer), listNumber(-1)}},
		{"a revocation list without its authority's key", []pkix.Extension{listNumber(1)}},
	} {
		add(identity.BadCert, c.name, func(ca *testca.Authority, d *identity.BundleDocument) { d.CRLs = [][]byte{rawCRL(ca, c.extensions)} }, "")
	}
	add(identity.BadCert, "something that is no revocation list", func(_ *testca.Authority, d *identity.BundleDocument) { d.CRLs = [][]byte{{1, 2, 3}} }, "")
	add(identity.Limits, "no root", func(_ *testca.Authority, d *identity.BundleDocument) { d.Roots = [][]byte{} }, "")
	add(identity.WrongNetwork, "a service node in the list of registries", func(ca *testca.Authority, d *identity.BundleDocument) {
		d.Registries = []identity.RegistryEntry{{Registry: ca.ID(service, "db-1"), Addresses: []string{}}}
	}, "")
	text := func(name, old, with string) {
		d := replace(string(encode(newCA().BundleDocument())), old, with)
		list = append(list, vectors.Certificate{Case: vectors.Case{Name: name, Class: identity.Malformed}, Kind: "bundle", Bundle: []byte(d)})
	}
	text("a bundle without roots", `"roots":`, `"trees":`)
	text("a bundle without a list of hand-overs", `"handovers":[]`, `"handovers":null`)
	text("a bundle without issuers", `"issuers":`, `"bosses":`)
	text("a bundle without a list of revocation lists", `"crls":[]`, `"lists":[]`)
	text("a bundle with a member twice", `"crls":[]`, `"crls":[],"crls":[]`)
	text("a bundle with a short nid", `"nid":"`, `"nid":"A`)
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

// rawCRL returns an empty list of the node issuer with any extensions, which
// crypto/x509 would not make.
func rawCRL(ca *testca.Authority, extensions []pkix.Extension) []byte {
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	tbs := must(asn1.Marshal(struct {
		Version                int
		Signature              pkix.AlgorithmIdentifier
		Issuer                 asn1.RawValue
		ThisUpdate, NextUpdate time.Time
		Extensions             []pkix.Extension `asn1:"tag:0,explicit"`
	}{1, algorithm, asn1.RawValue{FullBytes: ca.NodeIssuer.RawSubject}, issued(), issued().Add(24 * time.Hour), extensions}))
	r, s := signECDSA(nodeKey(), tbs)
	signature := must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
	return must(asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}))
}

func listNumber(n int) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: must(asn1.Marshal(n))}
}

func keyIDOf(issuer *x509.Certificate) pkix.Extension {
	value := must(asn1.Marshal([]asn1.RawValue{generalName(0, issuer.SubjectKeyId)}))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: value}
}
