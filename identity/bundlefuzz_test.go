package identity_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// A notary knows what the authorities of the vectors have signed.
type notary map[string]struct{}

func (n notary) add(d identity.BundleDocument) {
	for _, list := range [][][]byte{d.Roots, d.Handovers, d.Issuers} {
		for _, der := range list {
			if cert, err := x509.ParseCertificate(der); err == nil {
				n[string(cert.RawTBSCertificate)] = struct{}{}
			}
		}
	}
	for _, der := range d.CRLs {
		if crl, err := x509.ParseRevocationList(der); err == nil {
			n[string(crl.RawTBSRevocationList)] = struct{}{}
		}
	}
}

// check fails the test if something of a bundle, the first root apart, which
// only signs itself, was signed by nobody.
func (n notary) check(t *testing.T, b *identity.Bundle) {
	t.Helper()
	of := notary{}
	d := b.Document()
	d.Roots = d.Roots[1:]
	of.add(d)
	for part := range of {
		if _, known := n[part]; !known {
			t.Errorf("accepted what nobody has signed: %x", part)
		}
	}
	if b.NID() != identity.NID(b.Roots()[0]) || b.TrustDomain().IsZero() {
		t.Errorf("a bundle of %s, %s", b.TrustDomain(), b.NID())
	}
}

// bundleSeeds returns all bundles of the vectors, and one with hand-overs.
func bundleSeeds(f *testing.F) (docs [][]byte, signed notary) {
	f.Helper()
	signed = notary{}
	add := func(doc []byte) {
		var d identity.BundleDocument
		if json.Unmarshal(doc, &d) == nil {
			signed.add(d)
		}
		docs = append(docs, doc)
	}
	seen := map[string]struct{}{}
	for _, v := range seeds[vectors.Certificate](f, vectors.CertificatesFile) {
		doc := compact(f, v.Bundle)
		if _, dup := seen[string(doc)]; !dup {
			add(doc)
		}
		seen[string(doc)] = struct{}{}
	}
	old, next := testca.New("production", "a", now), testca.New("production", "b", now)
	d := old.BundleDocument(old.CRL(7))
	d.Roots, d.Handovers, d.Issuers = append(d.Roots, next.Root.Raw), [][]byte{old.Handover(next)}, append(d.Issuers, next.NodeIssuer.Raw)
	d.Registries = []identity.RegistryEntry{{Registry: old.ID("registry", "r"), Addresses: []string{"https://localhost:1"}, Mark: &identity.RegistryMark{Version: 1, Log: identity.Hash{1}}}}
	doc, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	add(doc)
	return docs, signed
}

// FuzzBundle changes bundles at one place. What is accepted says what it said
// before in each of its two forms, and holds nothing that was not signed.
func FuzzBundle(f *testing.F) {
	docs, signed := bundleSeeds(f)
	for _, doc := range docs {
		f.Add(doc, uint16(0), byte(3), []byte{})
	}
	for way := range byte(7) {
		for place := uint16(way % 3); place < 24; place += 3 {
			f.Add(docs[len(docs)-1], place, way, []byte{0, byte(place), 1})
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, place uint16, way byte, with []byte) {
		doc = spoil.JSON(doc, place, way, with)
		var b *identity.Bundle
		var err error
		spoil.Bounded(t, len(doc), 64, func() { b, err = identity.ParseBundle(doc) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		signed.check(t, b)
		if _, err := b.CRLHash(); err != nil {
			t.Error(err)
		}
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := identity.ParseBundle(text)
		if err != nil {
			t.Fatalf("a bundle does not survive its own encoding: %v", err)
		}
		if d := cmp.Diff(b.Document(), again.Document(), cmp.Comparer(func(a, b identity.NodeID) bool { return a == b })); d != "" {
			t.Errorf("before -, after +\n%s", d)
		}
		merged, err := b.Merge(again.Document().Issuers, again.Document().CRLs)
		if err != nil || len(merged.Issuers()) > len(b.Issuers()) || !bytes.Equal(merged.PEM(), b.PEM()) {
			t.Errorf("a bundle merged with itself is another: %v", err)
		}
	})
}

// FuzzBundlePEM reads bundle.pem, which others may have written.
func FuzzBundlePEM(f *testing.F) {
	docs, signed := bundleSeeds(f)
	for _, doc := range docs {
		if b, err := identity.ParseBundle(doc); err == nil {
			f.Add(b.PEM())
		}
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAQ: B\n\nAQI=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b *identity.Bundle
		var err error
		spoil.Bounded(t, len(text), 64, func() { b, err = identity.BundleFromPEM(text, identity.Hash{}) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		signed.check(t, b)
		again, err := identity.BundleFromPEM(b.PEM(), identity.Hash{})
		if err != nil || !bytes.Equal(again.PEM(), b.PEM()) || again.TrustDomain() != b.TrustDomain() {
			t.Errorf("a bundle does not survive its own encoding: %v", err)
		}
	})
}

// FuzzCRL adds a revocation list to a bundle that has one already: only what an
// authority of the network has signed counts, and never one below.
func FuzzCRL(f *testing.F) {
	docs, signed := bundleSeeds(f)
	for _, doc := range docs {
		var d identity.BundleDocument
		if json.Unmarshal(doc, &d) == nil {
			for _, crl := range d.CRLs {
				f.Add(crl)
			}
		}
	}
	ca := testca.New("production", "a", now)
	leaf := ca.Issue(ca.ID("databaseservice", "db-1")).Leaf()
	for number := range int64(9) {
		der := ca.CRL(number, leaf)
		signed.add(identity.BundleDocument{CRLs: [][]byte{der}})
		f.Add(der)
	}
	b := ca.Bundle(ca.CRL(4))
	signed.add(b.Document())
	f.Fuzz(func(t *testing.T, der []byte) {
		var next *identity.Bundle
		var err error
		spoil.Bounded(t, len(der), 64, func() { next, err = b.With([][]byte{der}) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		signed.check(t, next)
		for i, crl := range next.CRLs() {
			if i == 0 && crl.Number().Cmp(b.CRLs()[0].Number()) < 0 {
				t.Errorf("the list %s took the place of %s", crl.Number(), b.CRLs()[0].Number())
			}
		}
	})
}
