package identity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// Messages whose shape is chosen to cost whoever reads them more than their
// length: what grows faster than the input is refused before it is done.

func TestOuterJSONCostsWhatItsLengthSays(t *testing.T) {
	const size = 8 << 20
	fill := func(text string) string { return strings.TrimSuffix(strings.Repeat(text, size/len(text)), ",") }
	var names strings.Builder
	for i := range 1<<18 + 1 {
		fmt.Fprintf(&names, `"%07d":{},`, i)
	}
	for name, row := range map[string]struct {
		doc  string
		want identity.Code
	}{
		"a list of nothing":       {`{"roots":[` + fill(`"",`) + `]}`, identity.Limits},
		"a list of objects":       {`{"later":[` + fill(`{},`) + `]}`, identity.Limits},
		"names between strings":   {`["` + fill(`x","`) + `"]`, identity.Limits},
		"deep nesting":            {fill("["), identity.Malformed},
		"nesting that ends":       {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), identity.Malformed},
		"one name again":          {`{` + fill(`"abcdefgh":1,`) + `}`, identity.Malformed},
		"as many names as fit":    {`{` + strings.TrimSuffix(names.String(), ",") + `}`, identity.Malformed},
		"one long escaped text":   {`{"network":"` + fill(`\u0041`) + `"}`, identity.Malformed},
		"one long escaped name":   {`{"` + fill(`\u0041`) + `":1}`, identity.Malformed},
		"white space":             {`{"x"` + fill(" ") + `:1}`, identity.Malformed},
		"a text without its end":  {`{"x":"` + fill(`\"`), identity.Malformed},
		"base64 of escaped signs": {`{"roots":["` + fill(`\u0041`) + `"]}`, identity.Malformed},
	} {
		spoil.Bounded(t, len(row.doc), 12, func() {
			if _, err := identity.ParseBundle([]byte(row.doc)); identity.CodeOf(err) != row.want {
				t.Errorf("%s: got %.200v, want %s", name, err, row.want)
			}
		})
	}
}

// Each entry costs a signature: a registry that sends its neighbours' lists a
// hundred thousand times would keep a client busy for a minute.
func TestBundleOfMoreEntriesThanANetworkHas(t *testing.T) {
	ca := testca.New("production", "a", now)
	d, crl := ca.BundleDocument(), ca.CRL(1)
	d.CRLs = slices.Repeat([][]byte{crl}, 161)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	b := ca.Bundle(crl)
	root := identity.EncodeChain(ca.Root)
	for name, parse := range map[string]func() (*identity.Bundle, error){
		"lists in JSON":  func() (*identity.Bundle, error) { return identity.ParseBundle(text) },
		"lists merged":   func() (*identity.Bundle, error) { return b.Merge(nil, d.CRLs[:81]) },
		"issuers merged": func() (*identity.Bundle, error) { return b.Merge(slices.Repeat(d.Issuers[:1], 65), nil) },
		"roots in PEM": func() (*identity.Bundle, error) {
			return identity.BundleFromPEM(bytes.Repeat(root, 97), identity.Hash{})
		},
	} {
		if _, err := parse(); identity.CodeOf(err) != identity.Limits {
			t.Errorf("%s: got %v, want %s", name, err, identity.Limits)
		}
	}
	if _, err := b.Merge(slices.Repeat(d.Issuers[:1], 64), d.CRLs[:80]); err != nil {
		t.Errorf("as many as a network may have: %v", err)
	}
}

// A file that is not one must not be read again from each of its lines.
func TestPEMThatNeverEnds(t *testing.T) {
	const size = 7 << 20
	for _, text := range []string{"-----BEGIN A-----\n", "-----BEGIN ", "-----END B-----\n", "a:b\n", "\n"} {
		doc := bytes.Repeat([]byte(text), size/len(text))
		for _, doc := range [][]byte{doc, append([]byte("-----BEGIN CERTIFICATE-----\n"), doc...)} {
			spoil.Bounded(t, len(doc), 2, func() {
				if _, err := identity.BundleFromPEM(doc, identity.Hash{}); identity.CodeOf(err) != identity.Malformed {
					t.Errorf("%q: got %v, want %s", text, err, identity.Malformed)
				}
			})
		}
	}
}
