package identity_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/neurons-me/netget/identity"
)

// payloadString draws a string that may stand in a payload.
func payloadString() *rapid.Generator[string] {
	letters := []rune("abc019 \"\\/<>&'=%üßΩж日本😀\uFFFD\u00A0\u200B\u202F\u2060\uE000\U0010FFFD")
	return rapid.StringOfN(rapid.SampledFrom(letters), 0, 12, -1)
}

// value draws a value of a payload, at most depth levels deep.
func value(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 3
		if depth > 0 {
			kinds = 5
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return payloadString().Draw(t, "string")
		case 1:
			return rapid.Int64Range(0, 1<<53-1).Draw(t, "integer")
		case 2:
			return rapid.Bool().Draw(t, "boolean")
		case 3:
			return rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "array")
		default:
			key := rapid.StringMatching(`[A-Za-z0-9 "\\<>&.$-]{0,5}`)
			return rapid.MapOfN(key, value(depth-1), 0, 4).Draw(t, "object")
		}
	})
}

func TestMarshalCanonicalIsJCS(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := value(4).Draw(t, "value")
		got, err := identity.MarshalCanonical(v)
		if err != nil {
			t.Fatal(err)
		}
		if want := jcs(v); string(got) != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if err := identity.CheckCanonical(got); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever is not the one encoding of a value is refused.
func TestCheckCanonicalAcceptsOneEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(jcs(value(4).Draw(t, "value")))
		at := rapid.IntRange(0, len(text)).Draw(t, "at")
		what := rapid.SampledFrom([]string{" ", "\n", ",", "0", "-", "\"", "\\", "\\u0041", "null", "\x7f", "\xff", "e0", ".0", "a", "[", "]"}).Draw(t, "what")
		changed := slices.Concat(text[:at], []byte(what), text[at:])
		if identity.CheckCanonical(changed) != nil {
			return
		}
		dec := json.NewDecoder(strings.NewReader(string(changed)))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("accepted %s, which is no JSON: %v", changed, err)
		}
		if want := jcs(v); want != string(changed) {
			t.Fatalf("accepted %s, canonical is %s", changed, want)
		}
	})
}

func TestCheckCanonical(t *testing.T) {
	for _, good := range []string{
		"{}", "[]", `""`, "0", "9007199254740991", "true", "false", `{"":0,"A":1,"a":2}`, "[[[[]]]]", `[{"a":[{}]}]`, `"\"\\"`, "\"\u00A0\u2027\u202F\u2065\u206A\uFDCF\uFDF0\uFFFD\U0001FFFD\"", "\" \x7e\"",
	} {
		if err := identity.CheckCanonical([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", " ", "null", "nul", "tru", "True", "[[[[[]]]]]", `{"a":{"a":{"a":{"a":{}}}}}`, "[1,]", "[,1]", `{"a":1,}`, `{,}`, `{"a"}`, `{a:1}`, `{1:1}`, `{x":1}`, `{0":1}`, `["a":1]`,
		`{"a":1,"a":1}`, `{"b":1,"a":1}`, `{"a":1 }`, "1 ", "00", "-1", "1.0", "1e1", "9007199254740992", "10000000000000000", "99999999999999999999999999", `"`, `"\`, `"\n"`, `"\/"`, `"\u0022"`,
		"\"\x1f\"", "\"\x80\"", "\"\u0080\"", "[1 ,2]", "[1, 2]", "1,2", "{}{}", "'a'", `{"é":1}`, "[}", "{]",
	} {
		if err := identity.CheckCanonical([]byte(bad)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%q: got %v, want %s", bad, err, identity.Malformed)
		}
	}
}

func TestMarshalCanonicalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"null": nil, "a fraction": 1.5, "a negative number": -1, "a great number": uint64(1) << 53, "a function": func() {}, "a nil list": map[string][]int{"a": nil},
		"a control character": "\n", "deep nesting": [][][][][]int{{{{{}}}}}, "a key without ASCII": map[string]int{"ü": 1},
		"members out of order": struct {
			B int `json:"b"`
			A int `json:"a"`
		}{},
	} {
		if _, err := identity.MarshalCanonical(v); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: got %v, want %s", name, err, identity.Malformed)
		}
	}
}

func TestUnmarshalCanonical(t *testing.T) {
	type thing struct {
		A int64         `json:"a"`
		B identity.Hash `json:"b"`
	}
	good := fmt.Sprintf(`{"a":1,"b":%q}`, identity.Hash{1})
	var got thing
	if err := identity.UnmarshalCanonical([]byte(good), &got); err != nil || got != (thing{1, identity.Hash{1}}) {
		t.Fatalf("got %v, %v", got, err)
	}
	for name, text := range map[string]string{
		"white space": good + " ", "another type": `{"a":"1","b":""}`, "a missing member": `{"a":1}`, "an unknown member": strings.Replace(good, "}", `,"c":1}`, 1),
		"another case": strings.Replace(good, `"a"`, `"A"`, 1), "a bad hash": `{"a":1,"b":"x"}`,
	} {
		if err := identity.UnmarshalCanonical([]byte(text), new(thing)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: got %v, want %s", name, err, identity.Malformed)
		}
	}
}

func TestUnmarshalStrictBoundsNesting(t *testing.T) {
	nested := func(n int) []byte { return []byte(`{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`) }
	if err := identity.UnmarshalStrict(nested(31), new(struct{})); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	if err := identity.UnmarshalStrict(nested(32), new(struct{})); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("33 levels: got %v, want %s", err, identity.Malformed)
	}
}

func TestUnmarshalStrictBoundsMembers(t *testing.T) {
	object := func(n int) []byte {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `,"%d":0`, i)
		}
		return []byte("{" + text.String()[1:] + "}")
	}
	if err := identity.UnmarshalStrict(object(1<<18), new(struct{})); err != nil {
		t.Errorf("2^18 members: %v", err)
	}
	if err := identity.UnmarshalStrict(object(1<<18+1), new(struct{})); identity.CodeOf(err) != identity.Malformed {
		t.Errorf("one more: got %v, want %s", err, identity.Malformed)
	}
}

type embedded struct {
	E string `json:"e"`
}

func TestUnmarshalStrict(t *testing.T) {
	type thing struct {
		A int64         `json:"a"`
		B []thing       `json:"b"`
		H identity.Hash `json:"h"`
		P *int          `json:"p"`
		Q string        `json:"camelCase"`
		R string
		embedded
	}
	for _, good := range []string{
		`{}`, ` {"a" : 1} `, `{"x":{"y":[1,{"z":null}]}}`, `{"b":[{"a":1},{"a":2}],"a":3}`, `{"a":1,"aa":2}`,
		`{"camelCase":"x","R":"x","p":null}`, `{"e":"x"}`, `{"embedded":null}`, `{"X":1,"Xx":{"x":1}}`,
		`{"x":{"a":null,"B":[{"camelcase":5}]},"b":[{"x":[{"a":null}]}]}`, // what nobody knows yet may use any name
	} {
		if err := identity.UnmarshalStrict([]byte(good), new(thing)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		``, `{`, `{"a":1}{}`, `{"A":1}`, `{"E":"x"}`, `{"e":null}`, `{"b":[{"A":1}]}`, `{"camelcase":"x"}`, `{"camelCa` + "\u017f" + `e":"x"}`, `{"r":"x"}`, `{"a" : null}`, `{"b":[{"b":null}]}`, `{"a":1} x`, `{"a":1}]`, `[1,2`, `{"a":1,"a":1}`, `{"a":1,"A":1}`, `{"x":1,"x":2}`, `{"x":{"y":1,"y":2}}`, `{"b":[{"a":1,"a":2}]}`, `{"a":1,"\u0061":1}`,
		`{"k":1,"` + "\u212a" + `":1}`, `{"s":1,"` + "\u017f" + `":1}`, `{"a":"1"}`, `{"a":1.5}`, `{"h":"x"}`, `{"h":null}`, `{"h":5}`, `{"a":}`, `{"a" 1}`, `nul`, strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		if err := identity.UnmarshalStrict([]byte(bad), new(thing)); identity.CodeOf(err) != identity.Malformed {
			t.Errorf("%s: got %v, want %s", bad, err, identity.Malformed)
		}
	}
}
