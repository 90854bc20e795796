package forge

import (
	"fmt"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Canonicals returns the vectors of canonical payloads.
func Canonicals() vectors.File[vectors.Canonical] {
	f := vectors.File[vectors.Canonical]{About: "Payloads by themselves: canonical JSON (RFC 8785, restricted) or malformed. Base64."}
	add := func(class identity.Code, name, payload string) {
		f.Vectors = append(f.Vectors, vectors.Canonical{Case: vectors.Case{Name: name, Class: class}, Payload: []byte(payload)})
	}
	for _, r := range [][2]string{
		{"an empty object", `{}`},
		{"an empty array", `[]`},
		{"an empty string", `""`},
		{"zero", `0`},
		{"true", `true`},
		{"false", `false`},
		{"the greatest integer", `9007199254740991`},
		{"members in order", `{"A":1,"a":2,"b":{"c":[true,"x"]}}`},
		{"an empty member name", `{"":0,"a":1}`},
		{"prefixes before longer names", `{"a":1,"aa":2,"b":3}`},
		{"the two escapes", `"\"\\"`},
		{"characters that other encoders escape", `"</script>&'/"`},
		{"text outside ASCII", `"größe 数据库 🗄"`},
		{"composed and decomposed letters, left as they are", "\"\u00fc u\u0308\""},
		{"the last allowed character before a forbidden range", "\"\u007e\u00a0\u2027\u2030\u2065\u206a\ufdcf\ufdf0\ufffd\""},
		{"nesting of four", `[[[[]]]]`},
	} {
		add("", r[0], r[1])
	}
	for _, r := range [][2]string{
		{"nothing", ``},
		{"null", `null`},
		{"null in an array", `[null]`},
		{"null in an object", `{"a":null}`},
		{"an unknown word", `nil`},
		{"a fraction", `1.0`},
		{"an exponent", `1e0`},
		{"a negative integer", `-1`},
		{"minus zero", `-0`},
		{"a plus sign", `+1`},
		{"a leading zero", `01`},
		{"2^53", `9007199254740992`},
		{"17 digits", `10000000000000000`},
		{"2^64", `18446744073709551616`},
		{"a leading space", ` {}`},
		{"a trailing space", `{} `},
		{"a trailing newline", "{}\n"},
		{"a second value", `{}{}`},
		{"a space after a colon", `{"a": 1}`},
		{"a space after a comma", `[1, 2]`},
		{"a trailing comma in an object", `{"a":1,}`},
		{"a trailing comma in an array", `[1,]`},
		{"a missing colon", `{"a"1}`},
		{"a missing comma", `[1 2]`},
		{"a missing comma between members", `{"a":1"b":2}`},
		{"a missing comma between elements", `[1"a"]`},
		{"an object that ends at once", `{`},
		{"an object that ends after a comma", `{"a":1,`},
		{"a member name without its first quote", `{xa":1}`},
		{"an object that does not end", `{"a":1`},
		{"an array that does not end", `[1`},
		{"a string that does not end", `"a`},
		{"a member name that is no string", `{1:1}`},
		{"a repeated member", `{"a":1,"a":1}`},
		{"members out of order", `{"b":1,"a":2}`},
		{"lower case before upper case", `{"a":1,"A":2}`},
		{"a repeated member deeper down", `{"a":{"b":1,"b":1}}`},
		{"a member name outside ASCII", `{"ü":1}`},
		{"a byte-order mark", "\ufeff{}"},
		{"nesting of five", `[[[[[]]]]]`},
		{"nesting of five objects", `{"a":{"a":{"a":{"a":{}}}}}`},
		{"an escaped solidus", `"\/"`},
		{"an escaped letter", `"\u0061"`},
		{"an escaped newline", `"\n"`},
		{"an escaped control character", `"\u0001"`},
		{"an escaped quote in hexadecimal", `"\u0022"`},
		{"a lone surrogate, escaped", `"\ud800"`},
		{"a surrogate pair, escaped", `"\ud83d\uddc4"`},
		{"an escape at the end", `"\`},
		{"a lone surrogate, raw", "\"\xed\xa0\x80\""},
		{"a byte that is no UTF-8", "\"\xff\""},
		{"an overlong encoding", "\"\xc1\x81\""},
		{"a truncated character", "\"\xe2\x82\""},
		{"single quotes", `'a'`},
		{"a comment", `{}/**/`},
	} {
		add(identity.Malformed, r[0], r[1])
	}
	for _, r := range []rune{
		0, 1, '\t', '\n', 0x1f, 0x7f, 0x80, 0x85, 0x9f, 0x2028, 0x2029, 0xfeff, 0x202a, 0x202e, 0x2066, 0x2069,
		0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff,
	} {
		add(identity.Malformed, fmt.Sprintf("the character U+%04X", r), `"`+string(r)+`"`)
	}
	add(identity.Malformed, "a forbidden character in a member name", "{\"a\u007f\":1}")
	return f
}
