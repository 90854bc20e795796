package identity_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// This file forges signed objects: it knows nothing of package identity's
// encoder, so that both sides do not share a mistake.

// header returns a protected header as the protocol spells it.
func header(alg, typ string, leaf *x509.Certificate) string {
	return fmt.Sprintf(`{"alg":%q,"typ":%q,"x5t#S256":%q}`, alg, typ, identity.Thumbprint(leaf))
}

func b64u(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// rawES256 signs in the form of JWS: r and s, 32 bytes each.
func rawES256(key crypto.Signer, input []byte) []byte {
	digest := sha256.Sum256(input)
	der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		panic(err)
	}
	out := make([]byte, 64)
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out
}

// forge signs any header over any payload.
func forge(header, payload string, key crypto.Signer) string {
	input := b64u([]byte(header)) + "." + b64u([]byte(payload))
	return input + "." + b64u(rawES256(key, []byte(input)))
}

// network is a network with one node that signs, for tests to deceive.
type network struct {
	ca   *testca.Authority
	b    *identity.Bundle
	id   identity.NodeID
	key  crypto.Signer
	cred *identity.Credential
	cert *identity.Certificate
}

func newNetwork(tb testing.TB, service, node string) *network {
	tb.Helper()
	ca := testca.New("production", "a", now)
	n := &network{ca: ca, b: ca.Bundle(), id: ca.ID(service, node), key: testca.Key(service + node)}
	n.cred = ca.IssueKey(n.id, n.key)
	cert, err := n.b.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse)
	if err != nil {
		tb.Fatal(err)
	}
	n.cert = cert
	return n
}

// as returns the network as seen by another of its nodes.
func (n *network) as(tb testing.TB, service, node string) *network {
	tb.Helper()
	other := newNetwork(tb, service, node)
	other.ca, other.b = n.ca, n.b
	return other
}

// token signs a payload as an object of a kind.
func (n *network) token(typ identity.Typ, payload string) string {
	return forge(header("ES256", string(typ), n.cred.Leaf()), payload, n.key)
}

// open is all that a verifier does with a token of the node, clock included.
func (n *network) open(token string) (*identity.Statement, error) {
	env, err := identity.ParseEnvelope(token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	s, err := n.b.OpenStatement(env, n.cert)
	if err != nil {
		return nil, err
	}
	return s, s.CheckTime(now)
}

// record is the payload of a good record, for tests to spoil.
func (n *network) record() map[string]any {
	t := now.Unix()
	return map[string]any{
		"aud":   "netget:" + n.b.NID().String(),
		"check": map[string]any{"interval": 10, "path": "", "type": "none"},
		"endpoints": []any{
			map[string]any{"address": "10.0.0.1", "name": "default", "port": 5432, "protocol": "tcp"},
			map[string]any{"address": "db.example.org", "name": "admin", "port": 8080, "protocol": "udp"},
		},
		"epoch": t, "exp": t + 3600,
		"heartbeat": map[string]any{"anchor": b64u(make([]byte, 32)), "count": 240, "interval": 15},
		"iat":       t,
		"metadata":  map[string]any{"zone": "a", "name": "Datenbank für alle"},
		"network":   "production", "node": n.id.String(), "sequence": 1, "service": n.id.Service(), "state": "active", "v": 1,
	}
}

// tombstone is the payload of a good tombstone.
func (n *network) tombstone() map[string]any {
	t := now.Unix()
	return map[string]any{
		"aud": "netget:" + n.b.NID().String(), "epoch": t, "exp": t + 86520, "iat": t, "network": "production",
		"node": n.id.String(), "sequence": 2, "service": n.id.Service(), "v": 1,
	}
}

// set changes the member at a path such as "endpoints.0.port"; the value nil
// means JSON's null, absent removes the member.
func set(path string, value any) func(map[string]any) {
	return func(doc map[string]any) {
		var at any = doc
		steps := strings.Split(path, ".")
		for _, step := range steps[:len(steps)-1] {
			at = child(at, step)
		}
		last := steps[len(steps)-1]
		switch at := at.(type) {
		case map[string]any:
			if value == (absent{}) {
				delete(at, last)
				return
			}
			at[last] = value
		case []any:
			i, _ := strconv.Atoi(last)
			at[i] = value
		}
	}
}

type absent struct{}

// raw is JSON text that stands in a payload as it is.
type raw string

func child(at any, step string) any {
	if list, ok := at.([]any); ok {
		i, _ := strconv.Atoi(step)
		return list[i]
	}
	return at.(map[string]any)[step]
}

// jcs encodes a value as RFC 8785 asks, written from that text alone.
func jcs(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case raw:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		return v.String()
	case string:
		return jcsString(v)
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, jcs(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
		parts := make([]string, 0, len(v))
		for _, name := range names {
			parts = append(parts, jcsString(name)+":"+jcs(v[name]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	panic(fmt.Sprintf("no JCS of %T", v))
}

// jcsString is RFC 8785 section 3.2.2.2.
func jcsString(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteString(s[i : i+size])
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\f':
			b.WriteString(`\f`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}
