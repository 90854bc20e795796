package discovery

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/neurons-me/netget/identity"
)

// HeadLife is for how long a head is fresh: exp − iat.
const HeadLife = 30 * time.Second

const headVersion = 1

// Notices of a head.
const (
	NoNotice    = ""
	BrakeNotice = "brake" // status changes are being held back
)

// A Head is the only thing that a registry signs: the state of its network at
// one version. Times are Unix seconds. The fields stand in canonical order.
type Head struct {
	Changes  identity.Hash   `json:"changes"` // SHA-256 of the version's change list
	CRLs     identity.Hash   `json:"crls"`    // see [identity.Bundle.CRLHash]
	Exp      int64           `json:"exp"`     // iat + 30
	IAT      int64           `json:"iat"`
	Log      identity.Hash   `json:"log"`  // root of the log of size Version
	Made     int64           `json:"made"` // when the version was committed
	Network  string          `json:"network"`
	NID      identity.Hash   `json:"nid"`
	Notice   string          `json:"notice"`
	Records  int64           `json:"records"`
	Registry identity.NodeID `json:"registry"`
	Root     identity.Hash   `json:"root"` // of the map
	Services int64           `json:"services"`
	V        int64           `json:"v"`
	Version  int64           `json:"version"` // 1, 2, 3 …
}

// leaf is what the log keeps of a head: all that does not change when it is
// signed again.
type leaf struct {
	Changes  identity.Hash   `json:"changes"`
	CRLs     identity.Hash   `json:"crls"`
	Made     int64           `json:"made"`
	Network  string          `json:"network"`
	NID      identity.Hash   `json:"nid"`
	Notice   string          `json:"notice"`
	Records  int64           `json:"records"`
	Registry identity.NodeID `json:"registry"`
	Root     identity.Hash   `json:"root"`
	Services int64           `json:"services"`
	V        int64           `json:"v"`
	Version  int64           `json:"version"`
}

// LogLeaf returns the bytes of the head's leaf in the log.
func (h Head) LogLeaf() ([]byte, error) {
	return identity.MarshalCanonical(leaf{
		h.Changes, h.CRLs, h.Made, h.Network, h.NID, h.Notice, h.Records, h.Registry, h.Root, h.Services, headVersion, h.Version,
	})
}

// ParseLogLeaf reads what [Head.LogLeaf] made; Exp, IAT and Log are zero.
func ParseLogLeaf(text []byte) (Head, error) {
	var l leaf
	if err := identity.UnmarshalCanonical(text, &l); err != nil {
		return Head{}, err
	}
	h := Head{
		Changes: l.Changes, CRLs: l.CRLs, Made: l.Made, Network: l.Network, NID: l.NID, Notice: l.Notice, Records: l.Records,
		Registry: l.Registry, Root: l.Root, Services: l.Services, V: l.V, Version: l.Version,
	}
	if err := h.checkForm(); err != nil {
		return Head{}, err
	}
	return h, h.checkWhole(nil)
}

// Sign signs the head as of now with a registry's signing credential: iat is
// now, but never before the version was made.
func (h Head) Sign(cred *identity.Credential, now time.Time) (string, error) {
	h.V = headVersion
	h.IAT = max(now.Unix(), h.Made)
	h.Exp = h.IAT + int64(HeadLife/time.Second)
	if err := h.checkForm(); err != nil {
		return "", err
	}
	if err := h.checkWhole(nil); err != nil {
		return "", err
	}
	return identity.Seal(identity.HeadTyp, h, cred)
}

// Mark returns what is remembered of the head.
func (h Head) Mark() identity.RegistryMark {
	return identity.RegistryMark{Version: h.Version, Root: h.Root, Log: h.Log, Made: h.Made}
}

func (h Head) checkForm() error {
	if h.V != headVersion {
		return identity.Refuse(identity.Malformed, "a head of version %d", h.V)
	}
	if h.Notice != NoNotice && h.Notice != BrakeNotice {
		return identity.Refuse(identity.Malformed, "%.20q is not a notice", h.Notice)
	}
	if h.Registry.Type() != identity.RegistryNode {
		return identity.Refuse(identity.Malformed, "a head of %s, which is no registry", h.Registry)
	}
	if h.Version < 1 {
		return identity.Refuse(identity.Limits, "versions begin at 1")
	}
	return nil
}

// checkWhole is the part of step 8 that concerns the head alone: that its
// numbers fit together, and that it was not made before what was seen already.
func (h Head) checkWhole(mark *identity.RegistryMark) error {
	if (h.Services == 0) != (h.Records == 0) || h.Services > h.Records || (h.Services == 0) != h.Root.IsZero() {
		return identity.Refuse(identity.Incomplete, "%d services with %d records under root %s", h.Services, h.Records, h.Root)
	}
	if mark != nil && h.Made < mark.Made {
		return identity.Refuse(identity.BadTime, "%s was made at %d, before version %d", h, h.Made, mark.Version)
	}
	return nil
}

// A signer is the certificate of a head, verified.
type signer struct {
	cert *identity.Certificate
}

// openSigner verifies the registry's signing chain: to a root of the network,
// for that one use, in time and not revoked.
func openSigner(chain [][]byte, b *identity.Bundle, now time.Time) (signer, error) {
	leaf, issuer, err := identity.ParsePair(chain)
	if err != nil {
		return signer{}, err
	}
	return verifySigner(leaf, issuer, b, now)
}

func verifySigner(leaf, issuer *x509.Certificate, b *identity.Bundle, now time.Time) (signer, error) {
	cert, err := b.Verify(leaf, issuer, identity.SigningUse)
	if err != nil {
		return signer{}, err
	}
	if err := cert.CheckTime(now); err != nil {
		return signer{}, identity.Refuse(identity.BadCert, "the registry's signing certificate: %w", err)
	}
	if err := b.CheckRevoked(cert); err != nil {
		return signer{}, err
	}
	return signer{cert}, nil
}

// open verifies a head: gate, form, network, whose it is, time.
func (s signer) open(token string, b *identity.Bundle, now time.Time) (Head, error) {
	env, err := identity.ParseEnvelope(token, identity.HeadTyp)
	if err != nil {
		return Head{}, err
	}
	if env.Thumbprint() != s.cert.Thumbprint() {
		return Head{}, identity.Refuse(identity.BadCert, "the head was not signed with the certificate sent")
	}
	payload, err := env.Open(s.cert.Leaf())
	if err != nil {
		return Head{}, err
	}
	var h Head
	if err := identity.UnmarshalCanonical(payload, &h); err != nil {
		return Head{}, err
	}
	if err := h.checkForm(); err != nil {
		return Head{}, err
	}
	if h.NID != b.NID() || h.Network != b.TrustDomain().Network() {
		return Head{}, identity.Refuse(identity.WrongNetwork, "a head of the network %.40q (%s)", h.Network, h.NID)
	}
	if h.Registry != s.cert.ID() {
		return Head{}, identity.Refuse(identity.Binding, "a head of %s, signed by %s", h.Registry, s.cert.ID())
	}
	return h, h.checkTime(now)
}

// checkTime judges a head's times against each other and the clock.
func (h Head) checkTime(now time.Time) error {
	t, skew := now.Unix(), int64(identity.ClockSkew/time.Second)
	if h.Exp != h.IAT+int64(HeadLife/time.Second) || h.IAT < h.Made {
		return identity.Refuse(identity.BadTime, "a head made at %d, signed at %d, until %d", h.Made, h.IAT, h.Exp)
	}
	if h.IAT > t+skew {
		return identity.Refuse(identity.BadTime, "a head from the future, %d", h.IAT)
	}
	if t >= h.Exp+skew {
		return identity.Refuse(identity.Stale, "the head is over since %s", time.Unix(h.Exp, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// String names the head for logs.
func (h Head) String() string { return fmt.Sprintf("%s at version %d", h.Registry, h.Version) }
