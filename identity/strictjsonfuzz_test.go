package identity_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// outer has members of every kind that messages have.
type outer struct {
	Name    string          `json:"name"`
	Hash    identity.Hash   `json:"hash"`
	Node    identity.NodeID `json:"node"`
	DER     [][]byte        `json:"der"`
	Count   int64           `json:"count"`
	Mark    *outerMark      `json:"mark"`
	Entries []outerMark     `json:"entries"`
}

type outerMark struct {
	Version int64 `json:"version"`
	Known   bool  `json:"known"`
}

// FuzzUnmarshalStrict reads the outer JSON of a message. What is accepted means
// to encoding/json what it means to everybody: no member twice in any spelling.
func FuzzUnmarshalStrict(f *testing.F) {
	f.Add([]byte(`{"name":"a","hash":"` + b64u(make([]byte, 32)) + `","node":"` + dbURI + `","der":["AQI="],"count":1,"mark":null,"entries":[{"version":2,"known":true}]}`))
	for _, text := range []string{`{"a":1,"\u0061":2}`, `{"name":"","Name":""}`, `{"NAME":""}`, `{"name":null}`, `{"ſ":1,"s":2}`, `{"K":1,"\u212a":2}`, `[]`, `{}{}`, strings.Repeat("[", 40)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, again, plain outer
		err := identity.UnmarshalStrict(text, &got)
		if second := identity.UnmarshalStrict(text, &again); identity.CodeOf(err) != identity.CodeOf(second) || !reflect.DeepEqual(got, again) {
			t.Errorf("first %v, then %v", err, second)
		}
		if err != nil {
			spoil.Refused(t, err)
			return
		}
		if json.Unmarshal(text, &plain) != nil || !reflect.DeepEqual(got, plain) {
			t.Errorf("%s means %+v here and %+v to encoding/json", text, got, plain)
		}
		if repeats(t, json.NewDecoder(bytes.NewReader(text)), 0) {
			t.Errorf("accepted %s", text)
		}
	})
}

// repeats reports whether an object in the value that comes next says something
// twice, or the value is nested deeper than 32.
func repeats(t *testing.T, d *json.Decoder, depth int) bool {
	t.Helper()
	first, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	open, nested := first.(json.Delim)
	if !nested {
		return false
	}
	bad := depth >= 32
	var names []string
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range names {
				bad = bad || strings.EqualFold(other, name.(string))
			}
			names = append(names, name.(string))
		}
		bad = repeats(t, d, depth+1) || bad
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	return bad
}
