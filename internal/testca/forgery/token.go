// Package forgery makes what an authority must refuse from those who want to
// join: tokens that say something else, requests for keys that are no good.
package forgery

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// A Token is a join token on its way to an authority; whoever has the network's
// key, as nobody should, signs in it what they like.
type Token struct {
	Key    *ecdsa.PrivateKey
	Header string // JSON
	Claims map[string]any
}

// Open takes a good token apart, to be signed again with key.
func Open(token string, key *ecdsa.PrivateKey) (Token, error) {
	t := Token{Key: key}
	header, rest, _ := strings.Cut(token, ".")
	payload, _, found := strings.Cut(rest, ".")
	if !found {
		return t, errors.New("no token of three parts")
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return t, fmt.Errorf("reading a token's header: %w", err)
	}
	t.Header = string(text)
	if text, err = base64.RawURLEncoding.DecodeString(payload); err != nil {
		return t, fmt.Errorf("reading a token's claims: %w", err)
	}
	if err := json.Unmarshal(text, &t.Claims); err != nil {
		return t, fmt.Errorf("reading a token's claims: %w", err)
	}
	return t, nil
}

// With returns a copy in which change was made to the claims; netget is the
// claim of that name.
func (t Token) With(change func(claims, netget map[string]any)) Token {
	t.Claims = maps.Clone(t.Claims)
	netget, ok := t.Claims["netget"].(map[string]any)
	if !ok {
		panic("a token without the claim netget")
	}
	netget = maps.Clone(netget)
	t.Claims["netget"] = netget
	change(t.Claims, netget)
	return t
}

// String returns the token, signed.
func (t Token) String() string { return t.Sign(t.Header, t.Payload()) }

// Payload returns the claims as JSON.
func (t Token) Payload() string { return string(must(json.Marshal(t.Claims))) }

// Sign returns the token with any header and payload.
func (t Token) Sign(header, payload string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, t.Key, sum[:])
	if err != nil {
		panic(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64(sig[:])
}

// must stops a test whose own forgery does not work.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
