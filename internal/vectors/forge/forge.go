// Package forge makes the published test vectors. For the bad ones it holds a
// lying registry, an authority that signs what it must not, and a pen that
// writes any header and payload: each forgery breaks one rule and is right in
// all the others. Everything is fixed, so the bytes come out the same each time.
package forge

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors"
)

const (
	network   = "production"
	seed      = "vectors"
	service   = "databaseservice"
	now       = int64(1_795_348_800) // 2026-11-22 12:00:00 UTC, when everything was signed
	hour, day = int64(3600), int64(86400)
)

// Files returns the content of each file of vectors by its name.
func Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, encode := range map[string]func() ([]byte, error){
		vectors.RecordsFile:      func() ([]byte, error) { return vectors.Encode(Records()) },
		vectors.HeartbeatsFile:   func() ([]byte, error) { return vectors.Encode(Heartbeats()) },
		vectors.AnswersFile:      func() ([]byte, error) { return vectors.Encode(Answers()) },
		vectors.ProofsFile:       func() ([]byte, error) { return vectors.Encode(Proofs()) },
		vectors.CanonicalFile:    func() ([]byte, error) { return vectors.Encode(Canonicals()) },
		vectors.IdentitiesFile:   func() ([]byte, error) { return vectors.Encode(Identities()) },
		vectors.CertificatesFile: func() ([]byte, error) { return vectors.Encode(Certificates()) },
	} {
		text, err := encode()
		if err != nil {
			return nil, fmt.Errorf("making %s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

// Authority returns the authority that all vectors begin with. Each vector has
// its own, so that serial numbers do not depend on the other vectors.
func Authority() *testca.Authority { return testca.New(network, seed, issued()) }

func newCA() *testca.Authority { return Authority() }

// issued is when the certificates were made: an hour before what they sign.
func issued() time.Time { return at(now - hour) }

func at(t int64) time.Time { return time.Unix(t, 0).UTC() }

// A pen signs anything as the owner of key: header and payload are free.
type pen struct {
	key    crypto.Signer
	header string
}

// newPen returns the pen that writes as docs/protocol.md asks.
func newPen(typ identity.Typ, key crypto.Signer, leaf *x509.Certificate) pen {
	alg := "ES256"
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		alg = "EdDSA"
	}
	return pen{key, fmt.Sprintf(`{"alg":%q,"typ":%q,"x5t#S256":%q}`, alg, typ, identity.Thumbprint(leaf))}
}

func (p pen) write(payload []byte) string {
	input := b64u([]byte(p.header)) + "." + b64u(payload)
	return input + "." + b64u(signRaw(p.key, []byte(input)))
}

// signRaw returns the signature of a JWS: r‖s, or that of Ed25519.
func signRaw(key crypto.Signer, input []byte) []byte {
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		return must(key.Sign(nil, input, crypto.Hash(0)))
	}
	r, s := signECDSA(key, input)
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func signECDSA(key crypto.Signer, input []byte) (r, s *big.Int) {
	digest := sha256.Sum256(input)
	der := must(key.Sign(nil, digest[:], crypto.SHA256))
	var sig struct{ R, S *big.Int }
	must(asn1.Unmarshal(der, &sig))
	return sig.R, sig.S
}

// otherForm returns the second valid signature that follows from an ECDSA
// signature: (r, n−s).
func otherForm(signature []byte) []byte {
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s)
	return append(bytes.Clone(signature[:32]), s.FillBytes(make([]byte, 32))...)
}

// derForm returns an ECDSA signature as X.509 would have it.
func derForm(signature []byte) []byte {
	return must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])}))
}

// resign replaces a token's signature by what edit makes of it.
func resign(edit func([]byte) []byte) func(string) string {
	return func(token string) string {
		cut := strings.LastIndexByte(token, '.') + 1
		return token[:cut] + b64u(edit(must(base64.RawURLEncoding.DecodeString(token[cut:]))))
	}
}

// encode returns JSON as canonical payloads have it, without asking whether
// the content is allowed.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	check(enc.Encode(v))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// replace replaces the one place where text holds old.
func replace(text, old, with string) string {
	if strings.Count(text, old) != 1 {
		panic(fmt.Sprintf("%q stands %d times in %s", old, strings.Count(text, old), text))
	}
	return strings.Replace(text, old, with, 1)
}

func keyOf(c *identity.Credential) crypto.Signer {
	key, ok := c.TLS().PrivateKey.(crypto.Signer)
	if !ok {
		panic("a credential without key")
	}
	return key
}

func signed(s *identity.Statement) vectors.Signed {
	return vectors.Signed{Token: s.Token(), Certificate: s.Certificate().Leaf().Raw, Issuer: s.Certificate().Issuer().Raw}
}

func b64u(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func hashOf(text string) identity.Hash { return sha256.Sum256([]byte(text)) }

// must and check stop a forger whose own tools are broken.
func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
