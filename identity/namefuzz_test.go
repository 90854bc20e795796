package identity_test

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// The grammars of docs/protocol.md section 1, as they are written there.
var (
	labelText   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	networkText = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)
	dnsText     = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func naiveService(s string) bool {
	return labelText.MatchString(s) && !slices.Contains([]string{"ca", "node", "service"}, s)
}

func naiveTrustDomain(s string) bool {
	network, domain, _ := strings.Cut(s, ".")
	return networkText.MatchString(network) && len(domain) <= 92 && dnsText.MatchString(domain)
}

func naiveID(s string) bool {
	parts := strings.Split(strings.TrimPrefix(s, "spiffe://"), "/")
	return strings.HasPrefix(s, "spiffe://") && len(parts) == 3 &&
		naiveTrustDomain(parts[0]) && naiveService(parts[1]) && labelText.MatchString(parts[2])
}

func naiveAddress(s string) bool {
	if ip, err := netip.ParseAddr(s); err == nil {
		mapped := strings.HasPrefix(s, "::ffff:") && strings.Contains(s, ".")
		return ip.String() == s && !strings.Contains(s, "%") && !mapped
	}
	return len(s) <= 253 && dnsText.MatchString(s)
}

func naiveHash(s string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && len(raw) == 32 && base64.RawURLEncoding.EncodeToString(raw) == s
}

// FuzzNames reads one text as each kind of name.
func FuzzNames(f *testing.F) {
	for _, v := range seeds[vectors.Identity](f, vectors.IdentitiesFile) {
		f.Add(string(v.Text))
	}
	for _, bad := range badNames {
		f.Add("spiffe://production.netget.internal/a/" + bad)
	}
	f.Fuzz(func(t *testing.T, s string) {
		verdict := func(kind string, err error, want bool) bool {
			if (err == nil) != want {
				t.Errorf("%q as %s: %v, the text says %v", s, kind, err, want)
			}
			if err != nil {
				spoil.Refused(t, err)
			}
			return err == nil
		}
		if td, err := identity.ParseTrustDomain(s); verdict("trust domain", err, naiveTrustDomain(s)) && td.String() != s {
			t.Errorf("%q reads as %q", s, td)
		}
		if h, err := identity.ParseHash(s); verdict("hash", err, naiveHash(s)) && h.String() != s {
			t.Errorf("%q reads as %q", s, h)
		}
		verdict("service", identity.CheckService(s), naiveService(s))
		if identity.IsAddress(s) != naiveAddress(s) {
			t.Errorf("%q as address: %v", s, identity.IsAddress(s))
		}
		if id, err := identity.ParseNodeID(s); verdict("identity", err, naiveID(s)) {
			checkID(t, s, id)
		}
	})
}

// checkID holds a name that was read against itself.
func checkID(t *testing.T, s string, id identity.NodeID) {
	t.Helper()
	again, err := identity.NewNodeID(id.TrustDomain(), id.Service(), id.Label())
	if id.String() != s || err != nil || again != id || len(s) > 2048 || identity.FoldName(s) != s {
		t.Errorf("%q reads as %q, %v", s, id, err)
	}
	for _, name := range id.DNSNames() {
		if !identity.IsAddress(name) {
			t.Errorf("%q has the DNS name %q", s, name)
		}
	}
}
