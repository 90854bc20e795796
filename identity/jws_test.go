package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

func TestRefusesHeader(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	other := newNetwork(t, "databaseservice", "db-2")
	good := header("ES256", "netget-record+jws", n.cred.Leaf())
	change := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the header", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	thumb := n.cred.Thumbprint().String()
	rows := []struct{ name, header string }{
		{"alg none", change("ES256", "none")},
		{"HS256", change("ES256", "HS256")},
		{"ES384", change("ES256", "ES384")},
		{"EdDSA for a P-256 key", change("ES256", "EdDSA")},
		{"the typ of another object", change("netget-record+jws", "netget-head+jws")},
		{"an unknown typ", change("netget-record+jws", "JWT")},
		{"no typ", change(`"typ":"netget-record+jws",`, "")},
		{"no thumbprint", change(`,"x5t#S256":"`+thumb+`"`, "")},
		{"a thumbprint of 42 characters", change(thumb, thumb[1:])},
		{"a thumbprint with stray bits", change(thumb, thumb[:42]+"B")},
		{"the thumbprint of another certificate", change(thumb, other.cred.Thumbprint().String())},
		{"crit", change("}", `,"crit":[]}`)},
		{"b64 false", change("}", `,"b64":false}`)},
		{"jku", change("}", `,"jku":"https://example.org"}`)},
		{"jwk", change("}", `,"jwk":{}}`)},
		{"kid", change("}", `,"kid":"x"}`)},
		{"alg twice", change(`{"alg":"ES256"`, `{"alg":"ES256","alg":"ES256"`)},
		{"a leading space", " " + good},
		{"a trailing newline", good + "\n"},
		{"a space inside", change(":", ": ")},
		{"another order", `{"typ":"netget-record+jws","alg":"ES256","x5t#S256":"` + thumb + `"}`},
		{"an escape", change("ES256", `\u0045S256`)},
		{"nothing", ""},
		{"an array", "[]"},
	}
	payload := jcs(n.record())
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			if _, err := n.open(forge(row.header, payload, n.key)); identity.CodeOf(err) != identity.BadHeader {
				t.Errorf("got %v, want %s", err, identity.BadHeader)
			}
		})
	}
	t.Run("refuses a signature by the public key as a secret", func(t *testing.T) {
		input := b64u([]byte(change("ES256", "HS256"))) + "." + b64u([]byte(payload))
		mac := hmac.New(sha256.New, n.cred.Leaf().RawSubjectPublicKeyInfo)
		mac.Write([]byte(input))
		if _, err := n.open(input + "." + b64u(mac.Sum(nil))); identity.CodeOf(err) != identity.BadHeader {
			t.Errorf("got %v, want %s", err, identity.BadHeader)
		}
	})
	t.Run("refuses an unsigned object", func(t *testing.T) {
		if _, err := n.open(b64u([]byte(change("ES256", "none"))) + "." + b64u([]byte(payload)) + "."); identity.CodeOf(err) != identity.BadHeader {
			t.Errorf("got %v, want %s", err, identity.BadHeader)
		}
	})
	t.Run("refuses a kind that was not asked for", func(t *testing.T) {
		if _, err := identity.ParseEnvelope(forge(good, payload, n.key), identity.HeadTyp); identity.CodeOf(err) != identity.BadHeader {
			t.Errorf("got %v, want %s", err, identity.BadHeader)
		}
	})
	t.Run("refuses a head as a statement", func(t *testing.T) {
		env, err := identity.ParseEnvelope(n.token(identity.HeadTyp, `{}`), identity.HeadTyp)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.b.OpenStatement(env, n.cert); identity.CodeOf(err) != identity.BadHeader {
			t.Errorf("got %v, want %s", err, identity.BadHeader)
		}
	})
	t.Run("refuses ES256 for an Ed25519 key", func(t *testing.T) {
		cred := n.ca.IssueKey(n.id, testca.EdKey("x"))
		cert, err := n.b.Verify(cred.Leaf(), cred.Issuer(), identity.ClientUse)
		if err != nil {
			t.Fatal(err)
		}
		env, err := identity.ParseEnvelope(forge(header("ES256", "netget-record+jws", cred.Leaf()), payload, n.key), identity.RecordTyp)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.b.OpenStatement(env, cert); identity.CodeOf(err) != identity.BadHeader {
			t.Errorf("got %v, want %s", err, identity.BadHeader)
		}
	})
}

func TestRefusesEnvelope(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	good := n.token(identity.RecordTyp, jcs(n.record()))
	parts := strings.Split(good, ".")
	join := func(a, b, c string) string { return a + "." + b + "." + c }
	flat, err := json.Marshal(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]})
	if err != nil {
		t.Fatal(err)
	}
	std := func(s string) string {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	withStd := join(parts[0], parts[1][:len(parts[1])-4]+"++//", parts[2])
	rows := []struct {
		name, token string
		want        identity.Code
	}{
		{"9,000 bytes", strings.Repeat("A", 9000), identity.Limits},
		{"8,192 bytes for their form only", strings.Repeat("A", identity.MaxTokenBytes), identity.Malformed},
		{"a token one byte too long", good + strings.Repeat("A", identity.MaxTokenBytes+1-len(good)), identity.Limits},
		{"a million dots", strings.Repeat(".", 1_000_000), identity.Limits},
		{"nothing", "", identity.Malformed},
		{"a thousand dots", strings.Repeat(".", 1000), identity.Malformed},
		{"two parts", parts[0] + "." + parts[1], identity.Malformed},
		{"four parts", good + ".AAAA", identity.Malformed},
		{"the flattened JSON form", string(flat), identity.Malformed},
		{"the general JSON form", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2]), identity.Malformed},
		{"two signatures", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%[2]q,"signature":%[3]q},{"protected":%[2]q,"signature":%[3]q}]}`, parts[1], parts[0], parts[2]), identity.Malformed},
		{"a newline inside the header", join(parts[0][:9]+"\n"+parts[0][9:], parts[1], parts[2]), identity.Malformed},
		{"a newline inside the payload", join(parts[0], parts[1][:9]+"\n"+parts[1][9:], parts[2]), identity.Malformed},
		{"a carriage return inside the signature", join(parts[0], parts[1], parts[2][:9]+"\r"+parts[2][9:]), identity.Malformed},
		{"a newline at the end", good + "\n", identity.Malformed},
		{"a space before", " " + good, identity.Malformed},
		{"padding", good + "==", identity.Malformed},
		{"the standard alphabet", withStd, identity.Malformed},
		{"standard encoding with padding", join(std(parts[0]), std(parts[1]), std(parts[2])), identity.Malformed},
		{"stray bits in the signature", good[:len(good)-1] + string(next(good[len(good)-1])), identity.Malformed},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			if _, err := n.open(row.token); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

func TestEnvelopeOpenRefuses(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := n.ca.Leaf(n.id, p384.Public())
	input := n.token(identity.RecordTyp, "{ }")
	input = input[:strings.LastIndexByte(input, '.')+1]
	rows := []struct {
		name, token string
		leaf        *x509.Certificate
		want        identity.Code
	}{
		{"a leaf with another kind of key", forge(header("ES256", "netget-record+jws", other), "{}", n.key), other, identity.BadCert},
		{"a payload that is not canonical", n.token(identity.RecordTyp, "{ }"), n.cred.Leaf(), identity.Malformed},
		{"its signature before its payload", input + strings.Repeat("A", 86), n.cred.Leaf(), identity.BadSignature},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			env, err := identity.ParseEnvelope(row.token, identity.RecordTyp)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := env.Open(row.leaf); identity.CodeOf(err) != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// The longest object is sealed and opened; the next longer one is neither.
func TestEnvelopeOfTheGreatestSize(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	size := 0
	for length := 5700; length < 6200; length++ {
		token, err := identity.Seal(identity.RecordTyp, strings.Repeat("x", length), n.cred)
		if err != nil {
			if identity.CodeOf(err) != identity.Limits {
				t.Fatal(err)
			}
			break
		}
		size = len(token)
		if _, err := identity.ParseEnvelope(token, identity.RecordTyp); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if size < identity.MaxTokenBytes-1 {
		t.Errorf("the longest object has %d bytes, want about %d", size, identity.MaxTokenBytes)
	}
}

// next returns the base64url digit whose lowest bit differs from c's: a bit
// that the last digit of 64 bytes does not carry.
func next(c byte) byte {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return digits[strings.IndexByte(digits, c)^1]
}

func TestRefusesSignature(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	token := n.token(identity.RecordTyp, jcs(n.record()))
	cut := strings.LastIndexByte(token, '.')
	input := token[:cut]
	sig, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
	if err != nil {
		t.Fatal(err)
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(sig)
	flipped[40] ^= 4
	order := elliptic.P256().Params().N.Bytes()
	rows := []struct {
		name string
		sig  []byte
	}{
		{"a flipped bit", flipped},
		{"another key", rawES256(testca.Key("other"), []byte(input))},
		{"a truncated signature", sig[:63]},
		{"a longer signature", append(bytes.Clone(sig), 0)},
		{"an empty signature", nil},
		{"DER instead of r and s", der},
		{"zeros", make([]byte, 64)},
		{"s of the order", append(bytes.Clone(sig[:32]), order...)},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			if _, err := n.open(input + "." + b64u(row.sig)); identity.CodeOf(err) != identity.BadSignature {
				t.Errorf("got %v, want %s", err, identity.BadSignature)
			}
		})
	}
	t.Run("refuses a payload altered after signing", func(t *testing.T) {
		doc := n.record()
		set("endpoints.0.address", "10.0.0.2")(doc)
		altered := n.token(identity.RecordTyp, jcs(doc))
		if _, err := n.open(altered[:strings.LastIndexByte(altered, '.')] + "." + b64u(sig)); identity.CodeOf(err) != identity.BadSignature {
			t.Errorf("got %v, want %s", err, identity.BadSignature)
		}
	})
	t.Run("accepts r and n-s under the same rid", func(t *testing.T) {
		twin := bytes.Clone(sig)
		new(big.Int).Sub(elliptic.P256().Params().N, s).FillBytes(twin[32:])
		one, err := n.open(token)
		if err != nil {
			t.Fatal(err)
		}
		two, err := n.open(input + "." + b64u(twin))
		if err != nil {
			t.Fatal(err)
		}
		if one.RID() != two.RID() || one.Token() == two.Token() || one.Compare(two) != 0 {
			t.Errorf("the twin is %s, want %s", two.RID(), one.RID())
		}
	})
	t.Run("names an object by its signing input", func(t *testing.T) {
		one, err := n.open(token)
		if err != nil {
			t.Fatal(err)
		}
		if want := identity.Hash(sha256.Sum256([]byte(input))); one.RID() != want {
			t.Errorf("rid %s, want %s", one.RID(), want)
		}
	})
}

func TestRefusesEdwardsSignature(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	key := testca.EdKey("db-1").(ed25519.PrivateKey)
	n.cred = n.ca.IssueKey(n.id, key)
	cert, err := n.b.Verify(n.cred.Leaf(), n.cred.Issuer(), identity.ClientUse)
	if err != nil {
		t.Fatal(err)
	}
	n.cert = cert
	input := b64u([]byte(header("EdDSA", "netget-record+jws", n.cred.Leaf()))) + "." + b64u([]byte(jcs(n.record())))
	sig := ed25519.Sign(key, []byte(input))
	if _, err := n.open(input + "." + b64u(sig)); err != nil {
		t.Fatal(err)
	}
	// S + L is the same number modulo the order, and must not pass.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).Add(littleEndian(sig[32:]), order)
	beyond := append(bytes.Clone(sig[:32]), reversed(s.FillBytes(make([]byte, 32)))...)
	identityR := append([]byte{1}, make([]byte, 63)...) // R = the neutral element, S = 0
	rows := []struct {
		name string
		sig  []byte
	}{
		{"S beyond the order", beyond},
		{"a truncated signature", sig[:63]},
		{"an empty signature", nil},
		{"zeros", make([]byte, 64)},
		{"the neutral element as R", identityR},
		{"another message's signature", ed25519.Sign(key, []byte("other"))},
		{"ES256 under an Ed25519 key", rawES256(testca.Key("x"), []byte(input))},
		{"R of small order, made with the key", smallR(key, []byte(input))},
	}
	for _, row := range rows {
		t.Run("refuses "+row.name, func(t *testing.T) {
			if _, err := n.open(input + "." + b64u(row.sig)); identity.CodeOf(err) != identity.BadSignature {
				t.Errorf("got %v, want %s", err, identity.BadSignature)
			}
		})
	}
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func littleEndian(b []byte) *big.Int { return new(big.Int).SetBytes(reversed(b)) }

func TestSealRefuses(t *testing.T) {
	n := newNetwork(t, "databaseservice", "db-1")
	if _, err := identity.Seal(identity.RecordTyp, strings.Repeat("x", identity.MaxTokenBytes), n.cred); identity.CodeOf(err) != identity.Limits {
		t.Errorf("an object too long: got %v, want %s", err, identity.Limits)
	}
	if _, err := identity.Seal(identity.RecordTyp, map[string]any{"a": nil}, n.cred); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("an object that is not canonical: got %v, want %s", err, identity.Malformed)
	}
	token, err := identity.Seal(identity.HeadTyp, map[string]any{"a": 1}, n.cred)
	if err != nil {
		t.Fatal(err)
	}
	if want := b64u([]byte(header("ES256", "netget-head+jws", n.cred.Leaf()))) + "." + b64u([]byte(`{"a":1}`)) + "."; !strings.HasPrefix(token, want) {
		t.Errorf("sealed %s, want it to begin %s", token, want)
	}
}
