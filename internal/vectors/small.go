package vectors

import (
	"encoding/json"

	"github.com/neurons-me/netget/identity"
)

// A Proof is a proof by itself. Which members it has depends on its kind.
type Proof struct {
	Case
	// Kind is "map", "inclusion", "consistency", "tree" (inclusion in the tree
	// over a service) or "key" (the key of a service).
	Kind string `json:"kind"`

	Root  *identity.Hash  `json:"root,omitempty"`
	Key   *identity.Hash  `json:"key,omitempty"`   // kind map: asked for; kind key: the result
	Proof json.RawMessage `json:"proof,omitempty"` // kind map: PROOF; else the list of hashes

	Size    int64          `json:"size,omitempty"`
	Index   int64          `json:"index,omitempty"`
	Leaf    *identity.Hash `json:"leaf,omitempty"` // hash of the leaf
	OldSize int64          `json:"old_size,omitempty"`
	OldRoot *identity.Hash `json:"old_root,omitempty"`

	NID     *identity.Hash `json:"nid,omitempty"`
	Service string         `json:"service,omitempty"`

	Want *ProofWant `json:"want,omitempty"`
}

// A ProofWant is what a good map proof shows.
type ProofWant struct {
	Present bool           `json:"present"`
	Value   *identity.Hash `json:"value,omitempty"`
}

// A Canonical is a payload by itself.
type Canonical struct {
	Case
	Payload []byte `json:"payload"`
}

// An Identity is a name, judged by itself.
type Identity struct {
	Case
	// Kind is "identity", "trust-domain", "service", "address" or "hash".
	Kind string        `json:"kind"`
	Text []byte        `json:"text"` // base64, because not every name is text
	Want *IdentityWant `json:"want,omitempty"`
}

// An IdentityWant is what follows from a good name.
type IdentityWant struct {
	TrustDomain string   `json:"trust_domain,omitempty"`
	Network     string   `json:"network,omitempty"`
	Domain      string   `json:"domain,omitempty"`
	Service     string   `json:"service,omitempty"`
	Node        string   `json:"node,omitempty"`
	Type        string   `json:"type,omitempty"`
	DNSNames    []string `json:"dns_names,omitempty"`
}

// A Certificate is a certificate of some use, or a bundle.
type Certificate struct {
	Case
	// Kind is "client", "server", "signing" or "ca-server"; or "bundle", which
	// has no certificate.
	Kind        string           `json:"kind"`
	Bundle      json.RawMessage  `json:"bundle"`
	Certificate []byte           `json:"certificate,omitempty"` // DER
	Issuer      []byte           `json:"issuer,omitempty"`      // DER
	Now         int64            `json:"now,omitempty"`         // when given, time and revocation are judged too
	Want        *CertificateWant `json:"want,omitempty"`
}

// A CertificateWant is what a good certificate says.
type CertificateWant struct {
	ID         *identity.NodeID `json:"id,omitempty"`
	Thumbprint identity.Hash    `json:"thumbprint,omitzero"`
	IssuerSPKI identity.Hash    `json:"issuer_spki,omitzero"`
	Serial     string           `json:"serial,omitempty"`
	NID        identity.Hash    `json:"nid,omitzero"`
	CRLs       identity.Hash    `json:"crls,omitzero"` // of a bundle, as in heads
}
