package pki_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
	"github.com/neurons-me/netget/pki"
)

func plainRequest(tb testing.TB, key any) []byte {
	tb.Helper()
	der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// FuzzEnroll changes the body of an enrolment at one place. Whoever gets a
// certificate gets it for the key of the request and the identity of the token,
// and the token is good for nothing more.
func FuzzEnroll(f *testing.F) {
	ca := openFuzzCA(f)
	csr, signing := plainRequest(f, testca.EdKey("enroll")), plainRequest(f, testca.EdKey("enroll signing"))
	for way := range byte(7) {
		for place := range uint16(8) {
			f.Add(true, place, way, []byte{0, byte(place), 1})
			f.Add(false, place, way, []byte{0, byte(place + 1), 1})
		}
	}
	f.Fuzz(func(t *testing.T, registry bool, place uint16, way byte, with []byte) {
		service, node := "billing", "b1"
		if registry {
			service, node = "registry", "r1"
		}
		body, err := json.Marshal(map[string]any{"token": mint(t, ca, service, node), "csr": csr, "signingCsr": signing})
		if err != nil {
			t.Fatal(err)
		}
		body = spoil.JSON(body, place, way, with)
		got, err := pki.PostEnroll(t.Context(), ca, body)
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(leaf.URIs) != 1 || !strings.HasSuffix(leaf.URIs[0].String(), "/"+service+"/"+node) || len(got.SigningCertificate) != 0 && !registry {
			t.Errorf("%s gives %v", body, leaf.URIs)
		}
		if own := func(der []byte) bool {
			r, err := x509.ParseCertificateRequest(der)
			return err == nil && bytes.Equal(r.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo)
		}; !own(csr) && !own(signing) {
			t.Errorf("a certificate for a key that nobody has: %s", body)
		}
		if _, err := pki.PostEnroll(t.Context(), ca, body); identity.CodeOf(err) != identity.Denied {
			t.Errorf("a token used again: %v", err)
		}
	})
}

// FuzzHeads changes the report of a registry at one place. The authority's mark
// is always one of the registry's heads, and never goes back.
func FuzzHeads(f *testing.F) {
	ca := openFuzzCA(f)
	for version := range int64(5) {
		for way := range byte(7) {
			for place := range uint16(5) {
				f.Add(version, version-1, place*2+uint16(way), way, []byte{0, byte(place + 1), 1})
			}
		}
	}
	var book *logbook
	var peer *identity.Certificate
	last := int64(0)
	f.Fuzz(func(t *testing.T, version, from int64, place uint16, way byte, with []byte) {
		if book == nil {
			book, peer = reporter(t, ca)
		}
		version, from = 1+(version&7)%5, (from & 7)
		if from >= version {
			from = 0
		}
		body, err := json.Marshal(book.report(t, version, from, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		body = spoil.JSON(body, place, way, with)
		mark, log, elsewhere, err := pki.PostHeads(t.Context(), ca, peer, body)
		if err != nil {
			spoil.Refused(t, err)
			mark, log, _, err = pki.PostHeads(t.Context(), ca, peer, []byte("{}"))
			if err != nil || mark != last {
				t.Errorf("a refused report moved the mark from %d to %d, %v", last, mark, err)
			}
		}
		if mark < last || mark > 5 || mark > 0 && log != book.heads[mark-1].Log || elsewhere && mark != last {
			t.Errorf("the mark went from %d to %d (%s) by %s", last, mark, log, body)
		}
		last = mark
	})
}

// reporter enrols a registry with a log of five versions.
func reporter(t *testing.T, ca *pki.CA) (*logbook, *identity.Certificate) {
	t.Helper()
	m := member{key: newKey(t), signingKey: newKey(t)}
	var err error
	m.Enrolment, err = ca.EnrollOffline(t.Context(), "development", "registry", "r1", plainRequest(t, m.key), plainRequest(t, m.signingKey))
	if err != nil {
		t.Fatal(err)
	}
	b, err := identity.NewBundle(m.BundleDocument)
	if err != nil {
		t.Fatal(err)
	}
	book := newLogbook(t, m)
	for range 5 {
		book.grow(t, b, time.Now())
	}
	leaf, issuer, err := identity.ParsePair(m.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := b.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	return book, peer
}

var urlText = regexp.MustCompile(`^https://[^/?#@]+:[0-9]+$`)

// FuzzSettings reads ca.yaml. What is taken names one URL, and nothing in it
// costs more than its length.
func FuzzSettings(f *testing.F) {
	for _, text := range []string{
		"domain: netget.internal\nurl: https://localhost:8439\nencrypted: true\nextras:\n  dns: [localhost]\n  ips: [127.0.0.0/8, ::1/128]\n",
		"url: https://localhost:1\nurl: https://localhost:2\n", "url: &a https://localhost:1\ndomain: *a\n", "- a\n", "{}", "\x00", "url: https://localhost:1\n---\nurl: x\n",
		strings.Repeat("url: https://localhost:1\n", 5000), strings.Repeat("- ", 5000), strings.Repeat("[", 20000),
		"a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nurl: [*c,*c,*c,*c,*c,*c,*c,*c]\n",
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "ca.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var public string
		var extras pki.Extras
		var err error
		spoil.Bounded(t, len(text), 1024, func() { public, extras, err = pki.ReadSettings(path) })
		if err != nil {
			return // told to the file's owner, by the words of the YAML parser
		}
		if !urlText.MatchString(public) {
			t.Errorf("took the URL %q", public)
		}
		for _, name := range extras.DNS {
			if !identity.IsAddress(name) {
				t.Errorf("took the name %q", name)
			}
		}
	})
}

// FuzzNames reads names as an owner types them.
func FuzzNames(f *testing.F) {
	for _, text := range []string{"LocalHost", "*.a", "127.0.0.1", "10.0.0.1/8", "::ffff:1.2.3.4", "fe80::1%eth0", "a..b", "1", "x.1", "", "::1/200", "https://localhost:8439", "https://a@b:1", "https://a:b", "https://[::1]:5", "https://A:1", strings.Repeat("\xc6", 700), "https://" + strings.Repeat("a", 3000) + ":1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if extras, err := pki.ParseExtras([]string{text}, nil); err != nil {
			spoil.Refused(t, err)
		} else if len(extras.DNS) != 1 || extras.DNS[0] != identity.FoldName(text) || !identity.IsAddress(extras.DNS[0]) {
			t.Errorf("%q reads as %q", text, extras.DNS)
		}
		if extras, err := pki.ParseExtras(nil, []string{text}); err != nil {
			spoil.Refused(t, err)
		} else if p := extras.IPs; len(p) != 1 || p[0] != p[0].Masked() || !p[0].IsValid() || p[0].Addr().Zone() != "" {
			t.Errorf("%q reads as %q", text, p)
		} else if again, err := netip.ParsePrefix(p[0].String()); err != nil || again != p[0] {
			t.Errorf("%q reads as %q", text, p)
		}
		if err := pki.CheckURL(text); err != nil {
			spoil.Refused(t, err)
		} else if u, err := url.Parse(text); err != nil || !urlText.MatchString(text) || "https://"+u.Host != text {
			t.Errorf("took the URL %q", text)
		}
	})
}

// FuzzServerName chooses a network by SNI and Host as docs/protocol.md section 6
// has it.
func FuzzServerName(f *testing.F) {
	ca := openFuzzCA(f)
	td := ca.Networks()[0].TrustDomain
	for _, name := range []string{"", "ca." + td, "CA." + strings.ToUpper(td), td, td + ".", "x" + td, "localhost", "a.localhost", "127.0.0.1", "[::1]:8439", "\x00", "a%zz", "//x"} {
		f.Add(name, name)
		f.Add("ca."+td, name)
	}
	f.Fuzz(func(t *testing.T, sni, host string) {
		got, another := pki.NetworkOf(ca, sni, host)
		name := strings.ToLower(sni)
		if name != identity.FoldName(sni) {
			return // not ASCII: no name is
		}
		want := slices.Contains([]string{"", td, "localhost"}, name) || strings.HasSuffix(name, "."+td)
		if want != (got == td) || got != "" && got != td {
			t.Errorf("%q chooses %q", sni, got)
		}
		if _, err := url.Parse("//" + host); err == nil && another {
			t.Errorf("the only network is another at %q", host)
		}
	})
}
