package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
)

// A forger makes tokens that were never given, and knows how they are refused.
type forger struct {
	name string
	want identity.Code
	make func() string
}

// newForgers returns forgers who have seen a token of the network, and one of
// another authority.
func newForgers(t *testing.T, seen, foreign string) []forger {
	t.Helper()
	parts := strings.Split(seen, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	header, payload, signature := parts[0], parts[1], parts[2]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := func(change map[string]any) string { return changed(t, payload, change) }
	fresh := func() string { return other(map[string]any{"jti": rand.Text()}) }
	signed := func(header string) string { return sign(t, key, header+"."+fresh()) }
	return []forger{
		{"a random signature", identity.BadSignature, func() string { return header + "." + payload + "." + randomText(64) }},
		{"another id under the signature of a real token", identity.BadSignature, func() string { return header + "." + fresh() + "." + signature }},
		{"another node under the signature of a real token", identity.BadSignature, func() string {
			return header + "." + other(map[string]any{"sub": rand.Text()}) + "." + signature
		}},
		{"a key of the forger's under the network's key id", identity.BadSignature, func() string { return signed(header) }},
		{"a key of the forger's under its own id", identity.WrongNetwork, func() string {
			return signed(encode([]byte(`{"alg":"ES256","kid":"` + rand.Text() + `","typ":"JWT"}`)))
		}},
		{"a token of another authority", identity.WrongNetwork, func() string { return foreign }},
		{"alg none", identity.BadHeader, func() string { return encode([]byte(`{"alg":"none"}`)) + "." + fresh() + "." }},
		{"a symmetric algorithm", identity.BadHeader, func() string {
			return encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + fresh() + "." + randomText(32)
		}},
		{"a key that the token brings along", identity.BadHeader, func() string {
			return signed(encode([]byte(`{"alg":"ES256","jwk":{"kty":"EC"},"typ":"JWT"}`)))
		}},
		{"two parts", identity.Malformed, func() string { return header + "." + randomText(100) }},
		{"no base64", identity.Malformed, func() string { return header + "." + payload + ".?" + rand.Text() }},
		{"a token that is too long", identity.Limits, func() string { return header + "." + randomText(5<<10) + "." + signature }},
	}
}

// changed returns a payload with other claims.
func changed(t *testing.T, payload string, change map[string]any) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Error(err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Error(err)
	}
	maps.Copy(claims, change)
	if text, err = json.Marshal(claims); err != nil {
		t.Error(err)
	}
	return encode(text)
}

// sign adds an ES256 signature (RFC 7518 section 3.4).
func sign(t *testing.T, key *ecdsa.PrivateKey, input string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Error(err)
		return ""
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return input + "." + encode(raw)
}

func randomText(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // it never fails
	return encode(raw)
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
