package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
)

// A Hash is a SHA-256 value. Its text form, everywhere, is 43 characters of
// base64url without padding and without stray bits.
type Hash [sha256.Size]byte

const hashTextBytes = 43

// ParseHash reads the text form; anything else is [Malformed].
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hashTextBytes {
		return Hash{}, Refuse(Malformed, "a hash has %d characters, not %d", hashTextBytes, len(s))
	}
	b, err := decodeB64u(s)
	if err != nil {
		return Hash{}, Refuse(Malformed, "a hash is not base64url: %w", err)
	}
	copy(h[:], b)
	return h, nil
}

// IsZero reports whether h is all zeros.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the text form.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText returns the text form.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the text form, as [ParseHash] does.
func (h *Hash) UnmarshalText(b []byte) error {
	parsed, err := ParseHash(string(b))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}

// UnmarshalJSON reads the text form as a JSON string. Unlike what encoding/json
// does by itself, null is [Malformed] and not the hash that was there before.
func (h *Hash) UnmarshalJSON(b []byte) error {
	var text string // null leaves it empty, which is no hash
	if err := json.Unmarshal(b, &text); err != nil {
		return Refuse(Malformed, "a hash is no string: %w", err)
	}
	return h.UnmarshalText([]byte(text))
}

// Thumbprint returns SHA-256 of the certificate's DER, the x5t#S256 of RFC 7515.
// It binds a signature to a certificate; it never serves for revocation,
// because an ECDSA certificate can be altered without breaking its signature.
func Thumbprint(c *x509.Certificate) Hash { return sha256.Sum256(c.Raw) }

// SPKIHash returns SHA-256 of the certificate's SubjectPublicKeyInfo.
func SPKIHash(c *x509.Certificate) Hash { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// NID returns the true name of the network whose first root is given.
func NID(firstRoot *x509.Certificate) Hash { return SPKIHash(firstRoot) }

// decodeB64u decodes base64url without padding; it refuses stray bits and,
// unlike encoding/base64, line breaks.
func decodeB64u(s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' {
			return nil, base64.CorruptInputError(i)
		}
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
