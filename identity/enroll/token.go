package enroll

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	maxTokenBytes = 4 << 10
	maxURLBytes   = 300 // of https://, a DNS name and a port
)

// ErrTokenExpired says that a join token is over: the CA's owner makes another.
var ErrTokenExpired = errors.New("the join token has expired")

// A Token is a join token: a secret that the authority takes once, for one
// identity. Its claims were read but not verified, which is the authority's
// part; a forged one only leads to a refusal there.
type Token struct {
	_       [0]func() // not comparable
	text    string
	id      identity.NodeID
	ca      string
	root    identity.Hash
	expires time.Time
}

type claims struct {
	Issuer   string      `json:"iss"`
	Audience string      `json:"aud"`
	Root     string      `json:"sha"`
	Subject  string      `json:"sub"`
	ID       string      `json:"jti"`
	Expires  int64       `json:"exp"`
	Netget   netgetClaim `json:"netget"`
}

type netgetClaim struct {
	Network string `json:"network"`
	Domain  string `json:"domain"`
	Service string `json:"service"`
	Node    string `json:"node"`
	Profile string `json:"profile"`
}

// ParseToken reads the claims that a new machine needs; white space around the
// token is dropped. What is no join token is [identity.Malformed], or
// [identity.Limits] above 4 KiB. It does not look at the clock: see [Enroll].
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	payload, err := payloadOf(text)
	if err != nil {
		return Token{}, err
	}
	var c claims
	if err := identity.UnmarshalStrict(payload, &c); err != nil {
		return Token{}, err
	}
	t := Token{text: text, ca: c.Audience, expires: time.Unix(c.Expires, 0).UTC()}
	if t.id, err = c.nodeID(); err != nil {
		return Token{}, err
	}
	if t.root, err = parseFingerprint(c.Root); err != nil {
		return Token{}, err
	}
	if err := checkURL(c.Audience); err != nil {
		return Token{}, err
	}
	if c.ID == "" || c.Expires <= 0 {
		return Token{}, identity.Refuse(identity.Malformed, "the join token lacks its jti or exp")
	}
	return t, nil
}

func payloadOf(text string) ([]byte, error) {
	if len(text) > maxTokenBytes {
		return nil, identity.Refuse(identity.Limits, "a join token has at most %d bytes, not %d", maxTokenBytes, len(text))
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, identity.Refuse(identity.Malformed, "not a join token: it has three parts")
	}
	decoded := make([][]byte, len(parts))
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil || part == "" || strings.ContainsAny(part, "\r\n") {
			return nil, identity.Refuse(identity.Malformed, "not a join token: part %d is not base64url", i+1)
		}
	}
	return decoded[1], nil
}

// nodeID requires that the claims about the node agree with each other.
func (c *claims) nodeID() (identity.NodeID, error) {
	td, err := identity.NewTrustDomain(c.Netget.Network, c.Netget.Domain)
	if err != nil {
		return identity.NodeID{}, err
	}
	id, err := identity.NewNodeID(td, c.Netget.Service, c.Netget.Node)
	if err != nil {
		return identity.NodeID{}, err
	}
	if c.Issuer != td.String() || c.Subject != id.Label() || c.Netget.Profile != id.Type().String() {
		return identity.NodeID{}, identity.Refuse(identity.Malformed, "the join token's iss, sub or profile are not those of %s", id)
	}
	return id, nil
}

func parseFingerprint(s string) (identity.Hash, error) {
	var h identity.Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || s != strings.ToLower(s) {
		return identity.Hash{}, identity.Refuse(identity.Malformed, "the fingerprint of the root is not 64 hexadecimal digits")
	}
	copy(h[:], b)
	return h, nil
}

// checkURL accepts https://HOST:PORT and nothing around it.
func checkURL(s string) error {
	if len(s) > maxURLBytes {
		return identity.Refuse(identity.Malformed, "a URL of %d bytes, more than %d", len(s), maxURLBytes)
	}
	u, err := url.Parse(s)
	if err != nil {
		return identity.Refuse(identity.Malformed, "not a URL: %w", err)
	}
	if host, port, err := net.SplitHostPort(u.Host); u.Scheme != "https" || err != nil || host == "" || port == "" || s != "https://"+u.Host {
		return identity.Refuse(identity.Malformed, "%q is not of the form https://HOST:PORT", s)
	}
	return nil
}

// ID returns whose identity the token gives.
func (t Token) ID() identity.NodeID { return t.id }

// CA returns the URL of the authority that takes the token.
func (t Token) CA() string { return t.ca }

// Root returns SHA-256 of the DER of the root that the authority must show.
func (t Token) Root() identity.Hash { return t.root }

// Expires returns from when on the authority refuses the token.
func (t Token) Expires() time.Time { return t.expires }

// String tells what the token is for and hides the token itself.
func (t Token) String() string { return "join token of " + t.id.String() + " (secret)" }

// GoString is as [Token.String].
func (t Token) GoString() string { return t.String() }

// LogValue keeps the token out of logs.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
