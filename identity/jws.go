package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// A Typ is the "typ" header of a signed object: what kind of object it is.
type Typ string

// The kinds of signed objects.
const (
	RecordTyp    Typ = "netget-record+jws"
	TombstoneTyp Typ = "netget-tombstone+jws"
	HeadTyp      Typ = "netget-head+jws"
)

// MaxTokenBytes bounds every signed object in its compact form.
const MaxTokenBytes = 8192

// The protected header, byte for byte, around its three values. There is no
// other member, so there is nothing else to decide.
const (
	headerAlg   = `{"alg":"`
	headerTyp   = `","typ":"`
	headerThumb = `","` + thumbprintMember + `":"`
	headerEnd   = `"}`

	thumbprintMember = "x5t#S256"
)

// An Envelope is a signed object whose outer form was checked, but not yet its
// signature: all that it tells is which certificate must have signed it.
type Envelope struct {
	token      string
	typ        Typ
	header     []byte
	thumbprint Hash
	rid        Hash
}

// ParseEnvelope is the first half of the gate (docs/protocol.md section 3) for
// a token that must be of one of the given kinds. Errors: [Limits] above
// [MaxTokenBytes], [Malformed] for anything but three parts of strict
// base64url, [BadHeader] for a header of another form or kind.
func ParseEnvelope(token string, kinds ...Typ) (*Envelope, error) {
	if len(token) > MaxTokenBytes {
		return nil, Refuse(Limits, "a signed object has at most %d bytes, not %d", MaxTokenBytes, len(token))
	}
	if strings.Count(token, ".") != 2 {
		return nil, Refuse(Malformed, "a signed object has three parts")
	}
	header64, rest, _ := strings.Cut(token, ".")
	payload64, signature64, _ := strings.Cut(rest, ".")
	header, err := decodeB64u(header64)
	if err != nil {
		return nil, Refuse(Malformed, "decoding the header: %w", err)
	}
	for _, part := range []string{payload64, signature64} {
		if _, err := decodeB64u(part); err != nil {
			return nil, Refuse(Malformed, "decoding a part of the signed object: %w", err)
		}
	}
	typ, thumbprint, err := parseHeader(header, kinds)
	if err != nil {
		return nil, err
	}
	signed := token[:len(header64)+1+len(payload64)]
	return &Envelope{token: token, typ: typ, header: header, thumbprint: thumbprint, rid: sha256.Sum256([]byte(signed))}, nil
}

// Typ returns the object's kind.
func (e *Envelope) Typ() Typ { return e.typ }

// Thumbprint returns which certificate the object says it was signed with.
func (e *Envelope) Thumbprint() Hash { return e.thumbprint }

// RID returns SHA-256 of the signing input: the object's name. (Of the token it
// would be no name: an ECDSA signature has a second valid form.)
func (e *Envelope) RID() Hash { return e.rid }

// Open is the second half of the gate: it verifies the signature by leaf's key
// and returns the payload, which is canonical. Errors: [BadHeader] if the
// header is not the one that leaf's owner would have written, [BadSignature],
// [Malformed].
func (e *Envelope) Open(leaf *x509.Certificate) ([]byte, error) {
	alg, err := algorithmOf(leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(e.header, protectedHeader(alg, e.typ, Thumbprint(leaf))) {
		return nil, Refuse(BadHeader, "the header does not fit the certificate that it names")
	}
	jws, err := jose.ParseSignedCompact(e.token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return nil, Refuse(BadSignature, "parsing the signature: %w", err)
	}
	payload, err := jws.Verify(leaf.PublicKey)
	if err != nil {
		return nil, Refuse(BadSignature, "verifying the signature: %w", err)
	}
	if alg == jose.EdDSA && isSmallOrder(jws.Signatures[0].Signature[:32]) {
		return nil, Refuse(BadSignature, "the signature's point R is of small order")
	}
	if err := CheckCanonical(payload); err != nil {
		return nil, err
	}
	return payload, nil
}

// Seal signs payload, which it encodes canonically, as an object of kind typ
// with the credential's key.
func Seal(typ Typ, payload any, cred *Credential) (string, error) {
	body, err := MarshalCanonical(payload)
	if err != nil {
		return "", err
	}
	key := jose.SigningKey{Algorithm: cred.alg, Key: cryptosigner.Opaque(cred.key)}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader(thumbprintMember, cred.Thumbprint().String())
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		return "", fmt.Errorf("preparing to sign: %w", err)
	}
	jws, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("serialising a signed object: %w", err)
	}
	if want := base64.RawURLEncoding.EncodeToString(protectedHeader(cred.alg, typ, cred.Thumbprint())); !strings.HasPrefix(token, want+".") {
		return "", errors.New("signing: the library wrote another header than asked")
	}
	if len(token) > MaxTokenBytes {
		return "", Refuse(Limits, "the signed object would have %d bytes, more than %d", len(token), MaxTokenBytes)
	}
	return token, nil
}

// parseHeader takes the header apart by its fixed text; nothing in it is
// interpreted before it was found to be of that form.
func parseHeader(header []byte, kinds []Typ) (Typ, Hash, error) {
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA} {
		for _, typ := range kinds {
			rest, ok := bytes.CutPrefix(header, []byte(headerAlg+string(alg)+headerTyp+string(typ)+headerThumb))
			if !ok {
				continue
			}
			text, ok := bytes.CutSuffix(rest, []byte(headerEnd))
			if !ok {
				continue
			}
			if thumbprint, err := ParseHash(string(text)); err == nil {
				return typ, thumbprint, nil
			}
		}
	}
	return "", Hash{}, Refuse(BadHeader, "the protected header is not alg, typ and x5t#S256 of a known kind")
}

func protectedHeader(alg jose.SignatureAlgorithm, typ Typ, thumbprint Hash) []byte {
	return []byte(headerAlg + string(alg) + headerTyp + string(typ) + headerThumb + thumbprint.String() + headerEnd)
}
