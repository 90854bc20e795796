package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"sync"
)

// Limits of a bundle; a network that needs more is not one network.
const (
	maxRoots          = 16
	maxIssuers        = 64
	maxAuthorities    = maxRoots + maxIssuers
	maxCRLs           = 2 * maxAuthorities // of each what was known, and what is newer
	maxChainBytes     = 16 << 10
	maxVerifiedChains = 65536
)

// A BundleDocument is the wire form of a trust bundle (docs/protocol.md
// section 6, "Formats"). Certificates and CRLs are DER.
type BundleDocument struct {
	Network    string          `json:"network"`
	Domain     string          `json:"domain"`
	NID        Hash            `json:"nid"`
	Roots      [][]byte        `json:"roots"`
	Handovers  [][]byte        `json:"handovers"`
	Issuers    [][]byte        `json:"issuers"`
	CRLs       [][]byte        `json:"crls"`
	Registries []RegistryEntry `json:"registries,omitzero"` // nil: not the authority's bundle
}

// A RegistryEntry says which registries a network has and where they may be
// reached. Only the network's authority hands these out.
type RegistryEntry struct {
	Registry  NodeID        `json:"registry"`
	Addresses []string      `json:"addresses"` // https URLs
	Mark      *RegistryMark `json:"mark"`      // nil: nothing recent is known
}

// A RegistryMark is how far a registry's log was seen.
type RegistryMark struct {
	Version int64 `json:"version"`
	Root    Hash  `json:"root"`
	Log     Hash  `json:"log"`
	Made    int64 `json:"made"` // Unix seconds
}

// A Bundle is what a network is trusted by: its roots, the issuers they
// signed, the newest revocation lists. It is immutable and safe for
// concurrent use.
type Bundle struct {
	td         TrustDomain
	nid        Hash
	roots      []*x509.Certificate
	handovers  [][]byte
	issuers    []*x509.Certificate
	crls       []*CRL
	registries []RegistryEntry

	mu       sync.Mutex
	verified map[chainKey]*Certificate  // guarded by mu; bounded
	anchored map[Hash]*x509.Certificate // root of each issuer that was verified; guarded by mu; bounded
}

type chainKey struct {
	leaf, issuer Hash
	use          Usage
}

// ParseBundle reads the JSON form, see [NewBundle].
func ParseBundle(doc []byte) (*Bundle, error) {
	var d BundleDocument
	if err := UnmarshalStrict(doc, &d); err != nil {
		return nil, err
	}
	if err := d.CheckLists(); err != nil {
		return nil, err
	}
	return NewBundle(d)
}

// CheckLists refuses, as [Malformed], a document in which a list was not sent,
// not even empty: whoever decodes one from a message asks.
func (d *BundleDocument) CheckLists() error {
	if d.Roots == nil || d.Handovers == nil || d.Issuers == nil || d.CRLs == nil {
		return Refuse(Malformed, "a bundle lacks one of its lists")
	}
	for _, r := range d.Registries {
		if r.Addresses == nil {
			return Refuse(Malformed, "the registry %s lacks its list of addresses", r.Registry)
		}
	}
	return nil
}

// NewBundle checks a document and makes the bundle: names and sizes, that nid
// is the first root's, that each further root was signed by the one before,
// that roots signed the issuers and an authority of the network each CRL.
func NewBundle(d BundleDocument) (*Bundle, error) {
	td, err := NewTrustDomain(d.Network, d.Domain)
	if err != nil {
		return nil, err
	}
	b := &Bundle{td: td, nid: d.NID, handovers: d.Handovers, registries: d.Registries, verified: map[chainKey]*Certificate{}, anchored: map[Hash]*x509.Certificate{}}
	if err := b.addRoots(d.Roots); err != nil {
		return nil, err
	}
	if err := b.addIssuers(d.Issuers); err != nil {
		return nil, err
	}
	if err := b.addCRLs(d.CRLs); err != nil {
		return nil, err
	}
	for _, r := range d.Registries {
		if err := r.check(td); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *RegistryEntry) check(td TrustDomain) error {
	if r.Registry.Type() != RegistryNode || r.Registry.TrustDomain() != td {
		return Refuse(WrongNetwork, "%s is not a registry of %s", r.Registry, td)
	}
	m := r.Mark
	if m == nil {
		return nil
	}
	// The root of a map without services is zero, a log's is not.
	if m.Version < 1 || m.Version > maxInteger || m.Made < 0 || m.Made > maxInteger || m.Log.IsZero() {
		return Refuse(Malformed, "the mark of %s is of no head", r.Registry)
	}
	return nil
}

func (b *Bundle) addRoots(ders [][]byte) error {
	if len(ders) == 0 || len(ders) > maxRoots {
		return Refuse(Limits, "a bundle has 1 to %d roots, not %d", maxRoots, len(ders))
	}
	if len(b.handovers) != len(ders)-1 {
		return Refuse(BadCert, "%d roots need %d hand-overs, not %d", len(ders), len(ders)-1, len(b.handovers))
	}
	for i, der := range ders {
		root, err := parseAuthority(der)
		if err != nil {
			return err
		}
		if err := root.CheckSignatureFrom(root); err != nil {
			return Refuse(BadCert, "a root did not sign itself: %w", err)
		}
		if i > 0 {
			if err := checkHandover(b.handovers[i-1], b.roots[i-1], root); err != nil {
				return err
			}
		}
		b.roots = append(b.roots, root)
	}
	if NID(b.roots[0]) != b.nid {
		return Refuse(WrongNetwork, "the first root is not the one that nid names")
	}
	return nil
}

// checkHandover verifies that the old root vouched for the new one: a CA
// certificate for the new root's subject and key, signed by the old.
func checkHandover(der []byte, old, root *x509.Certificate) error {
	handover, err := parseAuthority(der)
	if err != nil {
		return err
	}
	if !bytes.Equal(handover.RawSubject, root.RawSubject) || !bytes.Equal(handover.RawSubjectPublicKeyInfo, root.RawSubjectPublicKeyInfo) {
		return Refuse(BadCert, "a hand-over is for another root")
	}
	if err := handover.CheckSignatureFrom(old); err != nil {
		return Refuse(BadCert, "a hand-over is not signed by the root before: %w", err)
	}
	return nil
}

func (b *Bundle) addIssuers(ders [][]byte) error {
	if len(ders) > maxIssuers {
		return Refuse(Limits, "a bundle has at most %d issuers, not %d", maxIssuers, len(ders))
	}
	for _, der := range ders {
		issuer, err := parseAuthority(der)
		if err != nil {
			return err
		}
		if b.rootOf(issuer) == nil {
			return Refuse(BadCert, "an issuer is signed by none of the roots")
		}
		b.issuers = append(b.issuers, issuer)
	}
	return nil
}

func parseAuthority(der []byte) (*x509.Certificate, error) {
	if len(der) > maxChainBytes {
		return nil, Refuse(BadCert, "a certificate of %d bytes", len(der))
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Refuse(BadCert, "parsing an authority's certificate: %w", err)
	}
	if !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, Refuse(BadCert, "%q is no certificate authority", cert.Subject.CommonName)
	}
	return cert, CheckKey(cert.PublicKey)
}

// rootOf returns the root that signed an issuer, or nil.
func (b *Bundle) rootOf(issuer *x509.Certificate) *x509.Certificate {
	for _, root := range slices.Backward(b.roots) {
		if bytes.Equal(issuer.RawIssuer, root.RawSubject) && issuer.CheckSignatureFrom(root) == nil {
			return root
		}
	}
	return nil
}

// TrustDomain returns the network's name.
func (b *Bundle) TrustDomain() TrustDomain { return b.td }

// NID returns the network's true name.
func (b *Bundle) NID() Hash { return b.nid }

// Roots returns the roots, first to present.
func (b *Bundle) Roots() []*x509.Certificate { return slices.Clone(b.roots) }

// Issuers returns the issuers that the authority published.
func (b *Bundle) Issuers() []*x509.Certificate { return slices.Clone(b.issuers) }

// Registries returns the network's registries, none where the bundle does not
// come from the authority.
func (b *Bundle) Registries() []RegistryEntry { return slices.Clone(b.registries) }

// Document returns the wire form; lists are never nil.
func (b *Bundle) Document() BundleDocument {
	d := BundleDocument{
		Network: b.td.Network(), Domain: b.td.Domain(), NID: b.nid,
		Roots: raws(b.roots), Handovers: append([][]byte{}, b.handovers...), Issuers: raws(b.issuers),
		CRLs: [][]byte{}, Registries: b.registries,
	}
	for _, crl := range b.crls {
		d.CRLs = append(d.CRLs, crl.list.Raw)
	}
	return d
}

// MarshalJSON returns the wire form.
func (b *Bundle) MarshalJSON() ([]byte, error) { return json.Marshal(b.Document()) }

// PEM returns roots, hand-overs, issuers and CRLs for other programs to use.
// It does not name the network; [BundleFromPEM] needs to be told.
func (b *Bundle) PEM() []byte {
	var out bytes.Buffer
	for _, der := range slices.Concat(raws(b.roots), b.handovers, raws(b.issuers)) {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}))
	}
	for _, crl := range b.crls {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: pemCRL, Bytes: crl.list.Raw}))
	}
	return out.Bytes()
}

// Verify checks that issuer signed leaf, that a root of the bundle signed
// issuer, and that both follow the strict profile for the given use. Failures
// are [BadCert]. It does not look at the clock, see [Certificate.CheckTime],
// nor at revocation, see [Bundle.CheckRevoked].
func (b *Bundle) Verify(leaf, issuer *x509.Certificate, use Usage) (*Certificate, error) {
	key := chainKey{Thumbprint(leaf), Thumbprint(issuer), use}
	b.mu.Lock()
	known := b.verified[key]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	cert, err := b.verify(leaf, issuer, use)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.verified) >= maxVerifiedChains {
		clear(b.verified)
	}
	b.verified[key] = cert
	return cert, nil
}

func (b *Bundle) verify(leaf, issuer *x509.Certificate, use Usage) (*Certificate, error) {
	if len(leaf.Raw)+len(issuer.Raw) > maxChainBytes {
		return nil, Refuse(BadCert, "the chain has more than %d bytes", maxChainBytes)
	}
	id, err := checkProfile(leaf, issuer, b.td, use)
	if err != nil {
		return nil, err
	}
	if err := checkIssuer(issuer, b.td, use); err != nil {
		return nil, err
	}
	root, err := b.verifyChain(leaf, issuer)
	if err != nil {
		return nil, err
	}
	return &Certificate{leaf: leaf, issuer: issuer, root: root, id: id, use: use, thumbprint: Thumbprint(leaf)}, nil
}

// verifyChain verifies signatures, path lengths and name constraints: of the
// leaf under its issuer, and, once for each issuer, of that under its root. Each
// is judged at the first moment at which both certificates are valid, so that a
// verdict never depends on the clock.
func (b *Bundle) verifyChain(leaf, issuer *x509.Certificate) (*x509.Certificate, error) {
	root, err := b.anchor(issuer)
	if err != nil {
		return nil, err
	}
	if err := verifyLink(leaf, issuer); err != nil {
		return nil, Refuse(BadCert, "verifying the certificate under its issuer: %w", err)
	}
	return root, nil
}

// anchor returns the root that an issuer leads to.
func (b *Bundle) anchor(issuer *x509.Certificate) (*x509.Certificate, error) {
	key := Thumbprint(issuer)
	b.mu.Lock()
	root := b.anchored[key]
	b.mu.Unlock()
	if root != nil {
		return root, nil
	}
	if root = b.rootOf(issuer); root == nil {
		return nil, Refuse(BadCert, "the chain does not end at a root of %s", b.td)
	}
	if err := verifyLink(issuer, root); err != nil {
		return nil, Refuse(BadCert, "verifying the issuer under its root: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.anchored) >= maxIssuers {
		clear(b.anchored)
	}
	b.anchored[key] = root
	return root, nil
}

// verifyLink verifies one certificate under the one that signed it, with
// everything that the upper one constrains. The names of the usages are
// compared exactly elsewhere, see checkUsages.
func verifyLink(lower, upper *x509.Certificate) error {
	moment := lower.NotBefore
	if upper.NotBefore.After(moment) {
		moment = upper.NotBefore
	}
	pool := x509.NewCertPool()
	pool.AddCert(upper)
	_, err := lower.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: moment, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

func raws(certs []*x509.Certificate) [][]byte {
	ders := make([][]byte, 0, len(certs))
	for _, c := range certs {
		ders = append(ders, c.Raw)
	}
	return ders
}
