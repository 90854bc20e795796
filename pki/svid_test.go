package pki_test

import (
	"crypto/x509"
	"testing"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Whatever names a node is an X509-SVID for SPIFFE's own library, under the
// network's root.
func TestNodeCertificatesAreX509SVIDs(t *testing.T) {
	domain := spiffeid.RequireTrustDomainFromString(td)
	seen := 0
	for _, s := range specimens(t) {
		if len(s.leaf().URIs) == 0 {
			continue // it names no node
		}
		seen++
		t.Run(s.name, func(t *testing.T) {
			last := len(s.chain) - 1
			key, err := x509.MarshalPKCS8PrivateKey(s.key)
			if err != nil {
				t.Fatal(err)
			}
			var raw []byte
			var shown [][]byte
			for _, c := range s.chain[:last] {
				raw, shown = append(raw, c.Raw...), append(shown, c.Raw)
			}
			svid, err := x509svid.ParseRaw(raw, key)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := svid.ID.String(), s.leaf().URIs[0].String(); got != want {
				t.Errorf("parsed as %s, want %s", got, want)
			}
			bundle := x509bundle.FromX509Authorities(domain, s.chain[last:])
			id, chains, err := x509svid.ParseAndVerify(shown, bundle, x509svid.WithTime(s.at))
			if err != nil || id != svid.ID || len(chains) != 1 {
				t.Errorf("verified as %s with %d chains: %v", id, len(chains), err)
			}
		})
	}
	if seen != 22 {
		t.Errorf("%d certificates name a node, want those of two networks", seen)
	}
}
