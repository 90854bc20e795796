package identity_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestBundleRoundTrip(t *testing.T) {
	ca, next := testca.New("production", "a", now), testca.New("production", "next", now)
	d := ca.BundleDocument(ca.CRL(3))
	d.Roots, d.Handovers = append(d.Roots, next.Root.Raw), append(d.Handovers, ca.Handover(next))
	d.Issuers = append(d.Issuers, next.NodeIssuer.Raw)
	d.Registries = []identity.RegistryEntry{{Registry: ca.ID("registry", "one"), Addresses: []string{"https://a:1"}}, {
		Registry: ca.ID("registry", "two"), Addresses: []string{}, Mark: &identity.RegistryMark{Version: 1<<53 - 1, Log: identity.Hash{2}},
	}}
	b, err := identity.NewBundle(d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := identity.ParseBundle(text)
	if err != nil {
		t.Fatal(err)
	}
	fromPEM, err := identity.BundleFromPEM(b.PEM(), identity.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*identity.Bundle{"JSON": fromJSON, "PEM": fromPEM} {
		if got.NID() != identity.NID(ca.Root) || got.TrustDomain() != ca.TD || len(got.Roots()) != 2 || len(got.Issuers()) != 3 ||
			len(got.CRLs()) != 1 || len(got.Document().Handovers) != 1 {
			t.Errorf("%s: got %+v", name, got.Document())
		}
		leaf := next.Issue(next.ID("databaseservice", "db-1"))
		if _, err := got.Verify(leaf.Leaf(), leaf.Issuer(), identity.ClientUse); err != nil {
			t.Errorf("%s: a node under the second root: %v", name, err)
		}
	}
	if got := fromJSON.Registries(); len(got) != 2 || got[0].Mark != nil || got[1].Mark.Version != 1<<53-1 || len(fromPEM.Registries()) != 0 {
		t.Errorf("the registries are %v", got)
	}
	pinned, err := identity.BundleFromPEM(b.PEM(), identity.Hash{1})
	if err != nil || pinned.NID() != (identity.Hash{1}) {
		t.Errorf("the caller's nid is not taken: %v", err)
	}
	empty, err := json.Marshal(ca.Bundle())
	if err != nil || strings.Contains(string(empty), ":null") || strings.Contains(string(empty), "registries") {
		t.Errorf("an empty list is sent as %s, %v", empty, err)
	}
}

func TestNewBundleRefuses(t *testing.T) {
	ca, next, other := testca.New("production", "a", now), testca.New("production", "next", now), testca.New("production", "b", now)
	development := testca.New("development", "a", now)
	handover := ca.Handover(next)
	renamed := *next.Root
	renamed.Subject.CommonName, renamed.RawSubject, renamed.Extensions = "another", nil, nil
	foreignName := certify(&renamed, ca.Root, next.Root.PublicKey, testca.Key("a/root"))
	leafHandover := *next.Root
	leafHandover.IsCA, leafHandover.MaxPathLen, leafHandover.Extensions = false, -1, nil
	noAuthority := certify(&leafHandover, ca.Root, next.Root.PublicKey, testca.Key("a/root"))
	issuer, stranger := *ca.NodeIssuer, *ca.Root
	issuer.Extensions, stranger.RawSubject, stranger.Subject.CommonName = nil, nil, "another root"
	renamedIssuer := certify(&issuer, &stranger, ca.NodeIssuer.PublicKey, testca.Key("a/root"))
	chain := func(d *identity.BundleDocument, root, handover []byte) {
		d.Roots, d.Handovers = append(d.Roots, root), append(d.Handovers, handover)
	}
	many := func(der []byte, n int) [][]byte {
		var list [][]byte
		for range n {
			list = append(list, der)
		}
		return list
	}
	mark := func(spoil func(*identity.RegistryMark)) func(*identity.BundleDocument) {
		m := &identity.RegistryMark{Version: 1, Root: identity.Hash{1}, Log: identity.Hash{2}}
		spoil(m)
		return func(d *identity.BundleDocument) {
			d.Registries = []identity.RegistryEntry{{Registry: ca.ID("registry", "one"), Mark: m}}
		}
	}
	leaf := ca.Issue(ca.ID("databaseservice", "db-1")).Leaf().Raw
	rows := []struct {
		name string
		edit func(*identity.BundleDocument)
		want identity.Code
	}{
		{"no roots", func(d *identity.BundleDocument) { d.Roots = nil }, identity.Limits},
		{"17 roots", func(d *identity.BundleDocument) { d.Roots = many(ca.Root.Raw, 17) }, identity.Limits},
		{"65 issuers", func(d *identity.BundleDocument) { d.Issuers = many(ca.NodeIssuer.Raw, 65) }, identity.Limits},
		{"an upper-case network", func(d *identity.BundleDocument) { d.Network = "Production" }, identity.Malformed},
		{"another domain that is none", func(d *identity.BundleDocument) { d.Domain = "" }, identity.Malformed},
		{"another nid", func(d *identity.BundleDocument) { d.NID = identity.NID(other.Root) }, identity.WrongNetwork},
		{"a nid of zeros", func(d *identity.BundleDocument) { d.NID = identity.Hash{} }, identity.WrongNetwork},
		{"the second root's nid", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, handover); d.NID = identity.NID(next.Root) }, identity.WrongNetwork},
		{"a root that does not parse", func(d *identity.BundleDocument) { d.Roots[0] = []byte{1} }, identity.BadCert},
		{"a leaf as root", func(d *identity.BundleDocument) { d.Roots[0] = leaf }, identity.BadCert},
		{"an issuer as root", func(d *identity.BundleDocument) { d.Roots[0] = ca.NodeIssuer.Raw }, identity.BadCert},
		{"a root with trailing bytes", func(d *identity.BundleDocument) { d.Roots[0] = append(append([]byte{}, d.Roots[0]...), 0) }, identity.BadCert},
		{"a root of more than 16 KiB", func(d *identity.BundleDocument) { d.Roots[0] = bigRoot() }, identity.BadCert},
		{"a second root without hand-over", func(d *identity.BundleDocument) { d.Roots = append(d.Roots, next.Root.Raw) }, identity.BadCert},
		{"a hand-over without root", func(d *identity.BundleDocument) { d.Handovers = [][]byte{handover} }, identity.BadCert},
		{"a hand-over by another root", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, other.Handover(next)) }, identity.BadCert},
		{"a hand-over for another root", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, ca.Handover(other)) }, identity.BadCert},
		{"a hand-over for another name", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, foreignName.Raw) }, identity.BadCert},
		{"a hand-over that is no authority", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, noAuthority.Raw) }, identity.BadCert},
		{"a hand-over of the new root by itself", func(d *identity.BundleDocument) { chain(d, next.Root.Raw, next.Root.Raw) }, identity.BadCert},
		{"a third root that the first hands over to", func(d *identity.BundleDocument) {
			chain(d, next.Root.Raw, handover)
			chain(d, other.Root.Raw, ca.Handover(other))
		}, identity.BadCert},
		{"an issuer of another root", func(d *identity.BundleDocument) { d.Issuers = append(d.Issuers, other.NodeIssuer.Raw) }, identity.BadCert},
		{"an issuer that names another root", func(d *identity.BundleDocument) { d.Issuers = append(d.Issuers, renamedIssuer.Raw) }, identity.BadCert},
		{"a leaf as issuer", func(d *identity.BundleDocument) { d.Issuers = append(d.Issuers, leaf) }, identity.BadCert},
		{"a revocation list of an unknown authority", func(d *identity.BundleDocument) { d.CRLs = [][]byte{other.CRL(1)} }, identity.BadCert},
		{"a revocation list that does not parse", func(d *identity.BundleDocument) { d.CRLs = [][]byte{{1}} }, identity.BadCert},
		{"a revocation list of more than 1 MiB", func(d *identity.BundleDocument) { d.CRLs = [][]byte{make([]byte, 1<<20+1)} }, identity.Limits},
		{"a registry of another network", func(d *identity.BundleDocument) {
			d.Registries = []identity.RegistryEntry{{Registry: development.ID("registry", "one")}}
		}, identity.WrongNetwork},
		{"a registry's mark of version 0", mark(func(m *identity.RegistryMark) { m.Version = 0 }), identity.Malformed},
		{"a registry's mark of version 2^53", mark(func(m *identity.RegistryMark) { m.Version = 1 << 53 }), identity.Malformed},
		{"a registry's mark made before 1970", mark(func(m *identity.RegistryMark) { m.Made = -1 }), identity.Malformed},
		{"a registry's mark made at 2^53", mark(func(m *identity.RegistryMark) { m.Made = 1 << 53 }), identity.Malformed},
		{"a registry's mark without log", mark(func(m *identity.RegistryMark) { m.Log = identity.Hash{} }), identity.Malformed},
		{"a service among the registries", func(d *identity.BundleDocument) {
			d.Registries = []identity.RegistryEntry{{Registry: ca.ID("databaseservice", "db-1")}}
		}, identity.WrongNetwork},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			d := ca.BundleDocument()
			row.edit(&d)
			if _, err := identity.NewBundle(d); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestBundleOfManyRoots(t *testing.T) {
	ca := testca.New("production", "a", now)
	d, last := ca.BundleDocument(), ca
	for i := range 15 {
		next := testca.New("production", fmt.Sprint("root ", i), now)
		d.Roots, d.Handovers, last = append(d.Roots, next.Root.Raw), append(d.Handovers, last.Handover(next)), next
	}
	b, err := identity.NewBundle(d)
	if err != nil {
		t.Fatal(err)
	}
	cred := last.Issue(last.ID("databaseservice", "db-1"))
	checkVerdict(t, b, cred.Leaf(), cred.Issuer(), identity.ClientUse, false)
}

// bigRoot is a root in order but for its size.
func bigRoot() []byte {
	ca := testca.New("production", "a", now)
	template := *ca.Root
	template.Extensions = nil
	extension(false, make([]byte, 16<<10), 1, 2, 3)(&template)
	return certify(&template, &template, ca.Root.PublicKey, testca.Key("a/root")).Raw
}

func TestParseBundleRefuses(t *testing.T) {
	good, err := json.Marshal(testca.New("production", "a", now).Bundle())
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	without := func(list string) string {
		i := strings.Index(text, `"`+list+`":`)
		j := i + strings.Index(text[i:], "],") + 2
		return text[:i] + text[j:]
	}
	rows := map[string]string{
		"nothing": "", "no object": "[]", "trailing data": text + "{}", "a repeated member": strings.Replace(text, "{", `{"network":"production",`, 1),
		"a member repeated in another case": strings.Replace(text, "{", `{"Network":"production",`, 1),
		"no list of roots":                  without("roots"), "no list of hand-overs": without("handovers"), "no list of issuers": without("issuers"),
		"no list of CRLs": strings.Replace(text, `,"crls":[]`, "", 1), "null as a list": strings.Replace(text, `"crls":[]`, `"crls":null`, 1),
		"a short nid":         strings.Replace(text, `"nid":"`, `"nid":"A`, 1),
		"base64 that is none": strings.Replace(text, `"roots":["`, `"roots":["-`, 1),
		"no network":          strings.Replace(text, `"network":"production"`, `"network":""`, 1),
		"no addresses":        strings.Replace(text, "{", `{"registries":[{"registry":"spiffe://production.netget.internal/registry/r","mark":null}],`, 1),
	}
	for name, doc := range rows {
		if _, err := identity.ParseBundle([]byte(doc)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: got %v, want %s", name, err, identity.Malformed)
		}
	}
	if _, err := identity.ParseBundle([]byte(strings.Replace(text, "{", `{"later":[{}],`, 1))); err != nil {
		t.Errorf("an unknown member: %v", err)
	}
}

func TestBundleFromPEMRefuses(t *testing.T) {
	ca := testca.New("production", "a", now)
	good := string(ca.Bundle(ca.CRL(1)).PEM())
	key, err := identity.EncodeKey(testca.EdKey("x"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{
		"nothing": "", "no PEM": "hello", "a private key": good + string(key), "text after it": good + "x",
		"a root alone":             string(identity.EncodeChain(ca.Root)),
		"issuers alone":            string(identity.EncodeChain(ca.NodeIssuer)),
		"a leaf":                   good + string(identity.EncodeChain(ca.Issue(ca.ID("a", "b")).Leaf())),
		"an unrelated second root": good + string(identity.EncodeChain(testca.New("production", "b", now).Root)),
		"more than 8 MiB":          good + strings.Repeat("\n", 8<<20),
	}
	for name, text := range rows {
		if _, err := identity.BundleFromPEM([]byte(text), identity.Hash{}); identity.CodeOf(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRevocation(t *testing.T) {
	ca := testca.New("production", "a", now)
	cred := ca.Issue(ca.ID("databaseservice", "db-1"))
	verify := func(b *identity.Bundle) *identity.Certificate {
		cert, err := b.Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	other := ca.Issue(ca.ID("databaseservice", "db-2"))
	byRoot := revocationList(ca.Root, "a/root", 1, ca.NodeIssuer.SerialNumber)
	sameSerialElsewhere := revocationList(ca.RegistryIssuer, "a/registry", 1, cred.Leaf().SerialNumber)
	rows := []struct {
		name string
		crls [][]byte
		want identity.Code
	}{
		{"accepts one on no list", nil, ""},
		{"accepts one beside others", [][]byte{ca.CRL(1, other.Leaf())}, ""},
		{"refuses a revoked leaf", [][]byte{ca.CRL(1, other.Leaf(), cred.Leaf())}, identity.Revoked},
		{"accepts one whose issuer is not on the root's list", [][]byte{revocationList(ca.Root, "a/root", 1, big.NewInt(999))}, ""},
		{"refuses a revoked issuer", [][]byte{byRoot}, identity.Revoked},
		{"accepts the same serial on another issuer's list", [][]byte{sameSerialElsewhere}, ""},
		{"accepts an issuer's serial on a list that is not the root's", [][]byte{revocationList(ca.RegistryIssuer, "a/registry", 1, ca.NodeIssuer.SerialNumber)}, ""},
		{"keeps the newer list, whichever comes first", [][]byte{ca.CRL(2, cred.Leaf()), ca.CRL(1)}, identity.Revoked},
		{"keeps the newer list, whichever comes last", [][]byte{ca.CRL(1), ca.CRL(2, cred.Leaf())}, identity.Revoked},
		{"forgets an older list", [][]byte{ca.CRL(1, cred.Leaf()), ca.CRL(2)}, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := ca.Bundle(row.crls...)
			if err := b.CheckRevoked(verify(b)); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %q", err, row.want)
			}
			with, err := ca.Bundle().With(row.crls)
			if err != nil {
				t.Fatal(err)
			}
			if err := with.CheckRevoked(verify(with)); identity.CodeOf(err) != row.want {
				t.Errorf("added later: got %v, want %q", err, row.want)
			}
		})
	}
}

func revocationList(issuer *x509.Certificate, key string, number int64, serials ...*big.Int) []byte {
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer, testca.Key(key))
	if err != nil {
		panic(err)
	}
	return der
}

func TestRevocationListRefuses(t *testing.T) {
	ca := testca.New("production", "a", now)
	forged := ca.CRL(1)
	forged[len(forged)-3] ^= 1
	authorityKey := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: append([]byte{0x30, 22, 0x80, 20}, ca.NodeIssuer.SubjectKeyId...)}
	point := func(fields ...byte) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: append([]byte{0x30, byte(len(fields))}, fields...)}
	}
	where := []byte{0xa0, 7, 0xa0, 5, 0x86, 3, 'a', ':', 'b'}
	extra := func(critical bool, arcs ...int) pkix.Extension {
		return pkix.Extension{Id: arcs, Critical: critical, Value: []byte{2, 1, 1}}
	}
	for name, der := range map[string][]byte{
		"the first number":                        rawList(ca.NodeIssuer, authorityKey, listNumber(0)),
		"the last number":                         rawList(ca.NodeIssuer, authorityKey, listNumber(1<<63-1)),
		"one that says where it is found":         rawList(ca.NodeIssuer, authorityKey, listNumber(1), point(where...)),
		"one with something that may be left out": rawList(ca.NodeIssuer, authorityKey, listNumber(1), extra(false, 1, 2, 3)),
	} {
		if _, err := ca.Bundle().With([][]byte{der}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, der := range map[string][]byte{
		"a forged one":                          forged,
		"one without number":                    rawList(ca.NodeIssuer, authorityKey),
		"one with a negative number":            rawList(ca.NodeIssuer, authorityKey, listNumber(-1)),
		"one with a number of 64 bits":          rawList(ca.NodeIssuer, authorityKey, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: []byte{2, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}}),
		"a part":                                rawList(ca.NodeIssuer, authorityKey, listNumber(2), extra(true, 2, 5, 29, 27)),
		"one of users only":                     rawList(ca.NodeIssuer, authorityKey, listNumber(1), point(append(where, 0x81, 1, 0xff)...)),
		"one of no distribution point":          rawList(ca.NodeIssuer, authorityKey, listNumber(1), extra(true, 2, 5, 29, 28)),
		"one with an unknown critical member":   rawList(ca.NodeIssuer, authorityKey, listNumber(1), extra(true, 1, 2, 3)),
		"one whose entry names another issuer":  foreignEntry(ca),
		"one without authority key":             rawList(ca.NodeIssuer, listNumber(1)),
		"one by another key":                    revocationList(ca.NodeIssuer, "a/root", 1),
		"one by a certificate that is unlisted": revocationList(testca.New("production", "b", now).NodeIssuer, "b/node", 1),
	} {
		if _, err := ca.Bundle().With([][]byte{der}); identity.CodeOf(err) != identity.BadCert {
			t.Errorf("%s: got %v, want %s", name, err, identity.BadCert)
		}
	}
}

// foreignEntry is a list with an entry that tells, as only indirect lists do,
// whose certificate it is of.
func foreignEntry(ca *testca.Authority) []byte {
	other := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}
	entry := x509.RevocationListEntry{SerialNumber: big.NewInt(1), RevocationTime: now, ExtraExtensions: []pkix.Extension{other}}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedCertificateEntries: []x509.RevocationListEntry{entry}}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.NodeIssuer, testca.Key("a/node"))
	if err != nil {
		panic(err)
	}
	return der
}

func listNumber(n int64) pkix.Extension {
	value, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: value}
}

// rawList is a list of the node issuer with these extensions alone, which
// crypto/x509 would not make.
func rawList(issuer *x509.Certificate, extensions ...pkix.Extension) []byte {
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	tbs, err := asn1.Marshal(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		ThisUpdate time.Time
		NextUpdate time.Time
		Extensions []pkix.Extension `asn1:"tag:0,optional,explicit"`
	}{1, algorithm, asn1.RawValue{FullBytes: issuer.RawSubject}, now, now.Add(time.Hour), extensions})
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256(tbs)
	sig, err := testca.Key("a/node").Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	der, err := asn1.Marshal(struct {
		List      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, algorithm, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	if err != nil {
		panic(err)
	}
	return der
}

func TestCRLHash(t *testing.T) {
	ca := testca.New("production", "a", now)
	none, err := ca.Bundle().CRLHash()
	if want := identity.Hash(sha256.Sum256([]byte("[]"))); err != nil || none != want {
		t.Errorf("of no list: %s, %v, want %s", none, err, want)
	}
	b := ca.Bundle(ca.CRL(12), revocationList(ca.Root, "a/root", 7))
	got, err := b.CRLHash()
	pair := func(c *x509.Certificate, number string) string {
		return jcs([]any{identity.SPKIHash(c).String(), number})
	}
	first, second := pair(ca.NodeIssuer, "12"), pair(ca.Root, "7")
	if first > second {
		first, second = second, first
	}
	if want := identity.Hash(sha256.Sum256([]byte("[" + first + "," + second + "]"))); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	crl := b.CRLs()[0]
	if crl.Hash() != sha256.Sum256(crl.Raw()) || crl.Issuer() != identity.SPKIHash(ca.NodeIssuer) || crl.Number().Int64() != 12 || !crl.NextUpdate().Equal(now.Add(24*time.Hour)) {
		t.Error("the list tells another story than was signed")
	}
}
