package vectors_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

func TestCanonical(t *testing.T) {
	each(t, vectors.CanonicalFile, func(t *testing.T, v vectors.Canonical) error {
		t.Helper()
		return identity.CheckCanonical(v.Payload)
	})
}

func TestIdentities(t *testing.T) {
	each(t, vectors.IdentitiesFile, func(t *testing.T, v vectors.Identity) error {
		t.Helper()
		text := string(v.Text)
		switch v.Kind {
		case "identity":
			id, err := identity.ParseNodeID(text)
			if err != nil {
				return err
			}
			td := id.TrustDomain()
			want(t, v.Want, &vectors.IdentityWant{
				TrustDomain: td.String(), Network: td.Network(), Domain: td.Domain(), Service: id.Service(), Node: id.Label(),
				Type: id.Type().String(), DNSNames: id.DNSNames(),
			})
			if id.String() != text {
				t.Errorf("got %s, want the text itself", id)
			}
			return nil
		case "trust-domain":
			td, err := identity.ParseTrustDomain(text)
			if err != nil {
				return err
			}
			want(t, v.Want, &vectors.IdentityWant{TrustDomain: td.String(), Network: td.Network(), Domain: td.Domain()})
			return nil
		case "service":
			return identity.CheckService(text)
		case "address":
			if !identity.IsAddress(text) {
				return identity.Refuse(identity.Malformed, "no address")
			}
			return nil
		case "hash":
			_, err := identity.ParseHash(text)
			return err
		}
		t.Fatalf("unknown kind %q", v.Kind)
		return nil
	})
}

func want[T any](t *testing.T, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.AllowUnexported(identity.NodeID{}, identity.TrustDomain{})); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

func TestCertificates(t *testing.T) {
	uses := map[string]identity.Usage{"client": identity.ClientUse, "server": identity.ServerUse, "signing": identity.SigningUse, "ca-server": identity.CAServerUse}
	each(t, vectors.CertificatesFile, func(t *testing.T, v vectors.Certificate) error {
		t.Helper()
		if v.Kind == "bundle" {
			return checkBundle(t, v)
		}
		b := bundleOf(t, v.Bundle)
		leaf, issuer, err := identity.ParsePair([][]byte{v.Certificate, v.Issuer})
		if err != nil {
			return err
		}
		cert, err := b.Verify(leaf, issuer, uses[v.Kind])
		if err != nil {
			return err
		}
		if v.Now != 0 {
			if err := cert.CheckTime(at(v.Now)); err != nil {
				return err
			}
			if err := b.CheckRevoked(cert); err != nil {
				return err
			}
		}
		if v.Want == nil {
			return nil
		}
		got := &vectors.CertificateWant{Thumbprint: cert.Thumbprint(), IssuerSPKI: cert.Serial().Issuer, Serial: cert.Serial().Number}
		if id := cert.ID(); !id.IsZero() {
			got.ID = &id
		}
		want(t, v.Want, got)
		return nil
	})
}

func checkBundle(t *testing.T, v vectors.Certificate) error {
	t.Helper()
	b, err := identity.ParseBundle(v.Bundle)
	if err != nil {
		return err
	}
	crls, err := b.CRLHash()
	if err != nil {
		t.Fatal(err)
	}
	want(t, v.Want, &vectors.CertificateWant{NID: b.NID(), CRLs: crls})
	return nil
}

func TestProofs(t *testing.T) {
	each(t, vectors.ProofsFile, func(t *testing.T, v vectors.Proof) error {
		t.Helper()
		got, err := judge.Proof(v)
		if err == nil {
			want(t, v.Want, got)
		}
		return err
	})
}
