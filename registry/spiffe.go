package registry

import (
	"crypto/ecdsa"
	"encoding/base64"

	"github.com/neurons-me/netget/identity"
)

// spiffeRefresh is how often holders should fetch the bundle again, in seconds.
const spiffeRefresh = 300

// A spiffeDocument is a trust bundle in SPIFFE's own form (SPIFFE Trust Domain
// and Bundle, section 4; RFC 7517).
type spiffeDocument struct {
	Keys     []spiffeKey `json:"keys"`
	Sequence int64       `json:"spiffe_sequence"`
	Refresh  int64       `json:"spiffe_refresh_hint"`
}

// A spiffeKey is one root as a JSON Web Key.
type spiffeKey struct {
	Use   string   `json:"use"`
	Type  string   `json:"kty"`
	Curve string   `json:"crv"`
	X     string   `json:"x"`
	Y     string   `json:"y"`
	Certs [][]byte `json:"x5c"`
}

// spiffeBundle returns the roots of a bundle, which only ever become more.
func spiffeBundle(b *identity.Bundle) (spiffeDocument, error) {
	d := spiffeDocument{Keys: []spiffeKey{}, Sequence: int64(len(b.Roots())), Refresh: spiffeRefresh}
	for _, root := range b.Roots() {
		key, ok := root.PublicKey.(*ecdsa.PublicKey)
		if !ok {
			return d, identity.Refuse(identity.Unavailable, "the root %q has no P-256 key", root.Subject.CommonName)
		}
		point, err := key.Bytes() // 4 ‖ x ‖ y
		if err != nil {
			return d, err
		}
		half := len(point) / 2
		d.Keys = append(d.Keys, spiffeKey{
			Use: "x509-svid", Type: "EC", Curve: "P-256", Certs: [][]byte{root.Raw},
			X: base64.RawURLEncoding.EncodeToString(point[1 : 1+half]),
			Y: base64.RawURLEncoding.EncodeToString(point[1+half:]),
		})
	}
	return d, nil
}
