package identity_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// A document holds DER in both ways in which messages do.
type document struct {
	One  []byte   `json:"one"`
	Many [][]byte `json:"many"`
}

func TestDERIsStandardPaddedBase64(t *testing.T) {
	for name, row := range map[string]struct {
		text string // of the one, and of the last of the many
		want []byte // nil: malformed
	}{
		"as it is sent":              {`"+/8="`, []byte{0xfb, 0xff}},
		"without need of padding":    {`"+/8A"`, []byte{0xfb, 0xff, 0}},
		"empty":                      {`""`, []byte{}},
		"a slash that JSON escapes":  {`"+\/8="`, []byte{0xfb, 0xff}},
		"a letter that JSON escapes": {`"\u002b/8\u003d"`, []byte{0xfb, 0xff}},
		"LF":                         {`"+/\n8="`, nil},
		"CR":                         {`"+/\r8="`, nil},
		"LF in another escape":       {`"+/\u000a8="`, nil},
		"CR in another escape":       {`"+/\u000D8="`, nil},
		"LF at the end":              {`"+/8=\n"`, nil},
		"CR LF at the beginning":     {`"\r\n+/8="`, nil},
		"nothing but LF":             {`"\n"`, nil},
		"LF for padding":             {`"+/8\n"`, nil},
		"stray bits":                 {`"+/9="`, nil},
		"stray bits, two paddings":   {`"AB=="`, nil},
		"no padding":                 {`"+/8"`, nil},
		"too much padding":           {`"+/8=="`, nil},
		"nothing but padding":        {`"="`, nil},
		"padding within":             {`"+/8=AAAA"`, nil},
		"the alphabet of URLs":       {`"-_8="`, nil},
		"a space":                    {`"+/8= "`, nil},
		"a tab":                      {`"+/\t8="`, nil},
		"numbers":                    {`[251,255]`, nil},
		"no numbers":                 {`[]`, nil},
		"a number":                   {`7`, nil},
		"null":                       {`null`, nil},
		"an object":                  {`{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for member, text := range map[string]string{"one": row.text, "many": "[ \"AAAA\" ,\n" + row.text + " ]"} {
				var got document
				err := identity.UnmarshalStrict([]byte(`{"`+member+`": `+text+`, "unknown": "\n"}`), &got)
				if row.want == nil {
					if identity.CodeOf(err) != identity.Malformed {
						t.Errorf("%s: got %v, want malformed", member, err)
					}
					continue
				}
				want := document{One: row.want}
				if member == "many" {
					want = document{Many: [][]byte{{0, 0, 0}, row.want}}
				}
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%s: %v\n%s", member, err, diff)
				}
			}
		})
	}
}

// Every list of a bundle is read by that rule.
func TestBundleWithLineBreaksIsMalformed(t *testing.T) {
	ca := testca.New("production", "a", now)
	good, err := json.Marshal(ca.BundleDocument(ca.CRL(1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := identity.ParseBundle(good); err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"root": ca.Root.Raw, "issuer": ca.RegistryIssuer.Raw} {
		text := base64.StdEncoding.EncodeToString(der)
		for _, bad := range []string{text[:76] + `\n` + text[76:], text[:76] + `\r\n` + text[76:], text + `\n`} {
			if _, err := identity.ParseBundle([]byte(strings.Replace(string(good), text, bad, 1))); identity.CodeOf(err) != identity.Malformed {
				t.Errorf("%s: got %v, want malformed", name, err)
			}
		}
	}
}
