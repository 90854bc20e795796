package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzCertificate verifies chains under the bundles of the vectors. What is
// accepted was signed as it is, whatever surrounds the signed part, and follows
// the profile as docs/protocol.md section 2 tells it.
func FuzzCertificate(f *testing.F) {
	uses := map[string]identity.Usage{"client": identity.ClientUse, "server": identity.ServerUse, "signing": identity.SigningUse, "ca-server": identity.CAServerUse}
	var docs []string
	signed := map[string]struct{}{}
	for _, v := range seeds[vectors.Certificate](f, vectors.CertificatesFile) {
		if v.Kind == "bundle" {
			continue
		}
		doc := string(compact(f, v.Bundle))
		i := slices.Index(docs, doc)
		if i < 0 {
			i, docs = len(docs), append(docs, doc)
		}
		for _, der := range [][]byte{v.Certificate, v.Issuer} {
			if cert, err := x509.ParseCertificate(der); err == nil {
				signed[string(cert.RawTBSCertificate)] = struct{}{}
			}
		}
		f.Add(uint8(i), uint8(uses[v.Kind]), v.Certificate, v.Issuer)
	}
	warm := make([]*identity.Bundle, len(docs))
	for i, doc := range docs {
		warm[i] = mustBundle(f, doc)
	}
	f.Fuzz(func(t *testing.T, bundle, use uint8, leafDER, issuerDER []byte) {
		b := warm[int(bundle)%len(warm)]
		usage := identity.Usage(use%4 + 1)
		if slices.Contains([]identity.Usage{1, 2, 3, 4}, identity.Usage(use)) {
			usage = identity.Usage(use)
		}
		var leaf, issuer *x509.Certificate
		var err error
		spoil.Bounded(t, len(leafDER)+len(issuerDER), 64, func() { leaf, issuer, err = identity.ParsePair([][]byte{leafDER, issuerDER}) })
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		cert, err := b.Verify(leaf, issuer, usage)
		if _, again := mustBundle(t, docs[int(bundle)%len(docs)]).Verify(leaf, issuer, usage); identity.CodeOf(again) != identity.CodeOf(err) {
			t.Errorf("%v, and %v from a bundle that has seen nothing", err, again)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		for _, c := range []*x509.Certificate{leaf, issuer} {
			if _, known := signed[string(c.RawTBSCertificate)]; !known {
				t.Errorf("accepted what nobody has signed: %x", c.Raw)
			}
		}
		checkAccepted(t, cert, b.TrustDomain(), usage)
		_ = cert.CheckTime(now)  // both are verdicts about
		_ = b.CheckRevoked(cert) // other things than the chain
	})
}

func mustBundle(tb testing.TB, doc string) *identity.Bundle {
	tb.Helper()
	b, err := identity.ParseBundle([]byte(doc))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// checkAccepted is the profile of leaves, said once more.
func checkAccepted(t *testing.T, cert *identity.Certificate, td identity.TrustDomain, use identity.Usage) {
	t.Helper()
	leaf, issuer := cert.Leaf(), cert.Issuer()
	want := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	serves := cert.ID().Type() == identity.ServiceNode || cert.ID().Type() == identity.RegistryNode
	switch {
	case use == identity.SigningUse:
		want = nil
	case use == identity.CAServerUse:
		want = want[1:]
	case !serves:
		want = want[:1]
	}
	registry := cert.ID().Type() == identity.RegistryNode
	bad := map[string]bool{
		"usages":          !slices.Equal(slices.Sorted(slices.Values(leaf.ExtKeyUsage)), slices.Sorted(slices.Values(want))),
		"own usages":      (use == identity.SigningUse) != (len(leaf.UnknownExtKeyUsage) == 1) || len(leaf.UnknownExtKeyUsage) > 1,
		"authority":       leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 || !issuer.IsCA || issuer.MaxPathLen != 0,
		"number of URIs":  (len(leaf.URIs) == 1) != (use != identity.CAServerUse) || len(leaf.URIs) > 1,
		"e-mail":          len(leaf.EmailAddresses) != 0,
		"common name":     leaf.Subject.CommonName != "",
		"addresses":       len(leaf.IPAddresses) != 0 && !registry && use != identity.CAServerUse || len(leaf.IPAddresses)+len(leaf.DNSNames) != 0 && use == identity.SigningUse,
		"key identifiers": len(leaf.SubjectKeyId) == 0 || len(leaf.AuthorityKeyId) == 0,
		"key":             !naiveKey(leaf.PublicKey) || !naiveKey(issuer.PublicKey),
		"constraints":     leaf.PermittedDNSDomainsCritical || len(leaf.PermittedURIDomains) != 0,
		"size":            len(leaf.Raw)+len(issuer.Raw) > 16<<10,
		"issuer":          !bytes.Equal(leaf.RawIssuer, issuer.RawSubject) || !slices.Equal(issuer.PermittedURIDomains, []string{td.String()}),
	}
	if len(leaf.URIs) == 1 {
		bad["identity"] = leaf.URIs[0].String() != cert.ID().String() || cert.ID().TrustDomain() != td
	}
	for _, name := range leaf.DNSNames {
		own := slices.Contains(cert.ID().DNSNames(), name)
		foreign := name != td.String() && !strings.HasSuffix(name, "."+td.String())
		permitted := own || foreign && registry || use == identity.CAServerUse && (foreign || name == td.CAName())
		bad["name "+name] = !permitted
	}
	for what, is := range bad {
		if is {
			t.Errorf("accepted for use %d despite its %s: %x", use, what, leaf.Raw)
		}
	}
}

func naiveKey(key any) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return true
	}
	return false
}
