package identity_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// FuzzCanonical holds the form of payloads against RFC 8785 as this package's
// forger writes it.
func FuzzCanonical(f *testing.F) {
	for _, v := range seeds[vectors.Canonical](f, vectors.CanonicalFile) {
		f.Add(string(v.Payload))
	}
	n := newNetwork(f, "databaseservice", "db-1")
	f.Add(jcs(n.record()))
	f.Add(`{"a":[1,{"b":"\"\\"}],"c":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		err := identity.CheckCanonical([]byte(text))
		if _, want := naiveCanonical(text); want != (err == nil) {
			t.Fatalf("the text says %v of %q: %v", want, text, err)
		}
		if err != nil {
			spoil.Refused(t, err)
		}
	})
}

var integerText = regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`)

// naiveCanonical decodes text and encodes it again; what differs is not
// canonical. Then come the rules beyond RFC 8785.
func naiveCanonical(text string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if !utf8.ValidString(text) || d.Decode(&v) != nil {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return v, naiveValue(v, 0) && jcs(v) == text
}

func naiveValue(v any, depth int) bool {
	switch v := v.(type) {
	case bool:
		return true
	case string:
		return naiveString(v)
	case json.Number:
		n, ok := new(big.Int).SetString(v.String(), 10)
		return integerText.MatchString(v.String()) && ok && n.Cmp(big.NewInt(maxInt)) <= 0
	case []any:
		for _, e := range v {
			if !naiveValue(e, depth+1) {
				return false
			}
		}
		return depth < 4
	case map[string]any:
		for name, e := range v {
			if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) || !naiveString(name) || !naiveValue(e, depth+1) {
				return false
			}
		}
		return depth < 4
	}
	return false // null
}

func naiveString(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= 0x1F || r >= 0x7F && r <= 0x9F || strings.ContainsRune("\u2028\u2029\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r) ||
			unicode.Is(unicode.Noncharacter_Code_Point, r)
	})
}
