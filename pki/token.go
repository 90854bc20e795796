package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.step.sm/crypto/jose"

	"github.com/neurons-me/netget/identity"
)

const (
	maxTokenBytes    = 4 << 10
	maxTokenLife     = 24 * time.Hour
	defaultTokenLife = 10 * time.Minute
	maxJTIBytes      = 64
	maxAddresses     = 16
)

// A tokenKey makes and checks the join tokens of one network.
type tokenKey struct {
	td     identity.TrustDomain
	spec   networkSpec
	url    string // the authority's public URL: the one audience
	root   string // fingerprint of the network's root
	kid    string // RFC 7638 thumbprint of the key
	signer crypto.Signer
	now    func() time.Time
}

func newTokenKey(spec networkSpec, url string, root *x509.Certificate, signer crypto.Signer, now func() time.Time) (*tokenKey, error) {
	public := jose.JSONWebKey{Key: signer.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("naming the token key of %s: %w", spec.td, err)
	}
	return &tokenKey{
		td: spec.td, spec: spec, url: url, root: fingerprint(root),
		kid: base64.RawURLEncoding.EncodeToString(sum), signer: signer, now: now,
	}, nil
}

// A grant is what a join token gives. Only [tokenKey.verify] makes one from a
// token: holding it means that signature, time and every claim were checked.
type grant struct {
	id        identity.NodeID
	addresses []string // of a registry
	jti       string
	expires   time.Time
	request   string // b64u SHA-256 of the one CSR it is bound to, or ""
}

// claims are those of a join token (docs/protocol.md section 6, "Join token").
type claims struct {
	Issuer    string        `json:"iss"`
	Audience  string        `json:"aud"`
	Root      string        `json:"sha"`
	Subject   string        `json:"sub"`
	SANs      []string      `json:"sans"`
	ID        string        `json:"jti"`
	IssuedAt  int64         `json:"iat"`
	NotBefore int64         `json:"nbf"`
	Expires   int64         `json:"exp"`
	Netget    netgetClaim   `json:"netget"`
	Confirm   *confirmClaim `json:"cnf,omitempty"`
}

type netgetClaim struct {
	Network   string   `json:"network"`
	Domain    string   `json:"domain"`
	Service   string   `json:"service"`
	Node      string   `json:"node"`
	Profile   string   `json:"profile"`
	Addresses []string `json:"addresses,omitempty"`
}

type confirmClaim struct {
	Request string `json:"x5rt#S256"`
}

// header is the protected header of every token of this key, byte for byte.
func (k *tokenKey) header() string {
	return `{"alg":"ES256","kid":"` + k.kid + `","typ":"JWT"}`
}

// mint signs a token for g, valid for life from now.
func (k *tokenKey) mint(g grant, life time.Duration) (string, claims, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.NewOpaqueSigner(k.signer)},
		(&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", k.kid))
	if err != nil {
		return "", claims{}, fmt.Errorf("making a token: %w", err)
	}
	now := k.now().Unix()
	c := k.claimsOf(g)
	c.ID = rand.Text()
	c.IssuedAt, c.NotBefore, c.Expires = now, now, now+int64(life/time.Second)
	token, err := jose.Signed(signer).Claims(c).CompactSerialize()
	if err != nil {
		return "", claims{}, fmt.Errorf("signing a token: %w", err)
	}
	if len(token) > maxTokenBytes {
		return "", claims{}, identity.Refuse(identity.Limits, "the token would have %d bytes, %d at most", len(token), maxTokenBytes)
	}
	return token, c, nil
}

// claimsOf returns the claims that follow from a grant, all but id and times.
func (k *tokenKey) claimsOf(g grant) claims {
	c := claims{
		Issuer:   k.td.String(),
		Audience: k.url,
		Root:     k.root,
		Subject:  g.id.Label(),
		SANs:     append([]string{g.id.String()}, g.id.DNSNames()...),
		Netget: netgetClaim{
			Network: k.td.Network(), Domain: k.td.Domain(),
			Service: g.id.Service(), Node: g.id.Label(), Profile: g.id.Type().String(),
			Addresses: g.addresses,
		},
	}
	if g.request != "" {
		c.Confirm = &confirmClaim{g.request}
	}
	return c
}

// verify checks a token in the order of docs/protocol.md section 6: size,
// form, header, signature, then claims. Whether it was used is for the store
// to say.
func (k *tokenKey) verify(token string) (grant, error) {
	if len(token) > maxTokenBytes {
		return grant{}, identity.Refuse(identity.Limits, "a token of %d bytes, %d at most: %w", len(token), maxTokenBytes, errTooLarge)
	}
	c, err := k.open(token)
	if err != nil {
		return grant{}, err
	}
	if err := k.checkTime(c); err != nil {
		return grant{}, err
	}
	return k.grantOf(c)
}

// open returns the claims of a token whose signature is this key's.
func (k *tokenKey) open(token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, identity.Refuse(identity.Malformed, "a token has three parts, not %d", len(parts))
	}
	for _, part := range parts {
		if _, err := decodePart(part); err != nil {
			return claims{}, identity.Refuse(identity.Malformed, "a part of the token is not base64url: %w", err)
		}
	}
	header, _ := decodePart(parts[0])
	if err := k.checkHeader(header); err != nil {
		return claims{}, err
	}
	parsed, err := jose.ParseSigned(token)
	if err != nil {
		return claims{}, identity.Refuse(identity.Malformed, "parsing the token: %w", err)
	}
	var c claims
	err = parsed.Claims(k.signer.Public(), &c)
	if errors.Is(err, jose.ErrCryptoFailure) {
		return claims{}, identity.Refuse(identity.BadSignature, "the token's signature is wrong")
	}
	if err != nil {
		return claims{}, identity.Refuse(identity.Malformed, "reading the token's claims: %w", err)
	}
	return c, nil
}

// checkHeader requires the header that this key writes. A key id that is not
// this network's is told apart: the token was made for another.
func (k *tokenKey) checkHeader(header []byte) error {
	if string(header) == k.header() {
		return nil
	}
	var h struct{ Alg, Kid, Typ string }
	if json.Unmarshal(header, &h) == nil && h.Alg == string(jose.ES256) && h.Typ == "JWT" && h.Kid != "" && h.Kid != k.kid {
		return identity.Refuse(identity.WrongNetwork, "the token was made with another key than that of %s", k.td)
	}
	return identity.Refuse(identity.BadHeader, "the token's header is not that of a join token")
}

// checkTime wants an end, at most a day after the beginning, and now between.
func (k *tokenKey) checkTime(c claims) error {
	now := k.now().Unix()
	skew := int64(identity.ClockSkew / time.Second)
	switch {
	case c.Expires == 0 || c.IssuedAt == 0 || c.NotBefore == 0:
		return identity.Refuse(identity.Malformed, "the token lacks exp, iat or nbf")
	case c.Expires <= c.IssuedAt || c.Expires-c.IssuedAt > int64(maxTokenLife/time.Second):
		return identity.Refuse(identity.BadTime, "the token lives longer than %s, or not at all", maxTokenLife)
	case c.Expires <= now:
		return identity.Refuse(identity.BadTime, "the token expired at %s", moment(c.Expires).Format(time.RFC3339))
	case c.IssuedAt > now+skew || c.NotBefore > now+skew:
		return identity.Refuse(identity.BadTime, "the token is from the future")
	}
	return nil
}

// grantOf requires that every claim says the same as the identity in netget.
func (k *tokenKey) grantOf(c claims) (grant, error) {
	if c.Netget.Network != k.td.Network() || c.Netget.Domain != k.td.Domain() {
		return grant{}, identity.Refuse(identity.WrongNetwork, "the token is for another network than %s", k.td)
	}
	id, err := identity.NewNodeID(k.td, c.Netget.Service, c.Netget.Node)
	if err != nil {
		return grant{}, err
	}
	g := grant{id: id, addresses: c.Netget.Addresses, jti: c.ID, expires: moment(c.Expires)}
	if c.Confirm != nil {
		if _, err := identity.ParseHash(c.Confirm.Request); err != nil {
			return grant{}, err
		}
		g.request = c.Confirm.Request
	}
	want := k.claimsOf(g)
	switch {
	case c.Audience != want.Audience:
		return grant{}, identity.Refuse(identity.Denied, "the token is for the authority at %q", c.Audience)
	case c.Issuer != want.Issuer || c.Root != want.Root:
		return grant{}, identity.Refuse(identity.WrongNetwork, "the token is not of this network's root")
	case c.ID == "" || len(c.ID) > maxJTIBytes:
		return grant{}, identity.Refuse(identity.Malformed, "the token's jti is missing or too long")
	case c.Netget.Profile != want.Netget.Profile:
		return grant{}, identity.Refuse(identity.Denied, "a %s is no %q", id.Type(), c.Netget.Profile)
	case c.Subject != want.Subject || !slices.Equal(c.SANs, want.SANs):
		return grant{}, identity.Refuse(identity.Denied, "the token's names are not those of %s", id)
	}
	return g, checkAddresses(id, g.addresses)
}

// checkAddresses lets registries alone have addresses, of the form https://HOST:PORT.
func checkAddresses(id identity.NodeID, urls []string) error {
	if len(urls) != 0 && id.Type() != identity.RegistryNode {
		return identity.Refuse(identity.Malformed, "only a registry has addresses")
	}
	if len(urls) > maxAddresses {
		return identity.Refuse(identity.Limits, "a registry has at most %d addresses in one token", maxAddresses)
	}
	for _, u := range urls {
		if err := checkURL(u); err != nil {
			return err
		}
	}
	return nil
}

func decodePart(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(part)
}
