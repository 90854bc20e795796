package identity_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// headerText is the protected header as docs/protocol.md section 3 spells it.
var headerText = regexp.MustCompile(`^\{"alg":"(ES256|EdDSA)","typ":"(netget-record\+jws|netget-tombstone\+jws|netget-head\+jws)","x5t#S256":"([A-Za-z0-9_-]{43})"\}$`)

// FuzzEnvelope holds the gate against another formulation of it, and the
// signatures against crypto/ecdsa and crypto/ed25519: what opens was signed by
// a key of the vectors, and nobody has one here.
func FuzzEnvelope(f *testing.F) {
	tokens, leaves := vectorTokens(f)
	signed := map[string]struct{}{}
	for _, token := range tokens {
		signed[signingInput(token)] = struct{}{}
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		env, err := identity.ParseEnvelope(token, identity.RecordTyp, identity.TombstoneTyp, identity.HeadTyp)
		alg, thumbprint, ok := naiveEnvelope(token)
		if ok != (err == nil) {
			t.Fatalf("the gate says %v, the text says %v", err, ok)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if env.Thumbprint() != thumbprint || env.RID() != sha256.Sum256([]byte(signingInput(token))) {
			t.Errorf("read as %s of %s", env.RID(), env.Thumbprint())
		}
		leaf := leaves[thumbprint]
		if leaf == nil {
			return
		}
		payload, err := env.Open(leaf)
		_, again := env.Open(leaf)
		if identity.CodeOf(err) != identity.CodeOf(again) {
			t.Errorf("first %v, then %v", err, again)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if _, known := signed[signingInput(token)]; !known || !naiveSignature(token, alg, leaf) {
			t.Errorf("opened what nobody has signed: %s", token)
		}
		if err := identity.CheckCanonical(payload); err != nil {
			t.Errorf("an opened payload: %v", err)
		}
	})
}

func signingInput(token string) string { return token[:max(0, strings.LastIndex(token, "."))] }

// naiveEnvelope is the gate up to the header: decoding and encoding again tells
// what strict base64url is.
func naiveEnvelope(token string) (alg string, thumbprint identity.Hash, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > 8192 || len(parts) != 3 {
		return "", thumbprint, false
	}
	for _, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
			return "", thumbprint, false
		}
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[0])
	match := headerText.FindStringSubmatch(string(text))
	if match == nil {
		return "", thumbprint, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(match[3])
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != match[3] {
		return "", thumbprint, false
	}
	copy(thumbprint[:], raw)
	return match[1], thumbprint, true
}

func naiveSignature(token, alg string, leaf *x509.Certificate) bool {
	input := signingInput(token)
	signature, err := base64.RawURLEncoding.DecodeString(token[len(input)+1:])
	if err != nil || len(signature) != 64 {
		return false
	}
	switch key := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		digest := sha256.Sum256([]byte(input))
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return alg == "ES256" && ecdsa.Verify(key, digest[:], r, s)
	case ed25519.PublicKey:
		return alg == "EdDSA" && ed25519.Verify(key, []byte(input), signature)
	}
	return false
}
