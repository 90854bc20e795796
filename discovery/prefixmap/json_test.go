package prefixmap_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/prefixmap"
)

func TestProofAsJSON(t *testing.T) {
	for _, c := range []struct {
		name string
		p    prefixmap.Proof
		want string
	}{
		{"nothing", prefixmap.Proof{}, `{"siblings":[],"key":"","value":""}`},
		{
			"an absence below an empty half",
			prefixmap.Proof{Siblings: []hash{{}, {0xff, 31: 0xff}}},
			`{"siblings":["","_wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8"],"key":"","value":""}`,
		},
		{
			"a leaf",
			prefixmap.Proof{Key: &hash{1}, Value: &hash{}},
			`{"siblings":[],"key":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		},
	} {
		got, err := json.Marshal(c.p)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestProofReturnsFromJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := mapOf(contents().Draw(t, "entries"))
		want := m.Prove(keys().Draw(t, "asked"))
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got prefixmap.Proof
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestProofOfAnotherFormIsRefused(t *testing.T) {
	h := strings.Repeat("A", 43)
	for name, text := range map[string]string{
		"null":                      `null`,
		"a list":                    `[]`,
		"no siblings":               `{"key":"","value":""}`,
		"null for siblings":         `{"siblings":null,"key":"","value":""}`,
		"a string for siblings":     `{"siblings":"","key":"","value":""}`,
		"null among siblings":       `{"siblings":[null],"key":"","value":""}`,
		"a number among siblings":   `{"siblings":[1],"key":"","value":""}`,
		"a list among siblings":     `{"siblings":[[]],"key":"","value":""}`,
		"no key":                    `{"siblings":[],"value":""}`,
		"no value":                  `{"siblings":[],"key":""}`,
		"null for key":              `{"siblings":[],"key":null,"value":""}`,
		"an object for value":       `{"siblings":[],"key":"","value":{}}`,
		"a key in upper case":       `{"siblings":[],"KEY":"","value":""}`,
		"a short hash":              `{"siblings":[],"key":"` + h[1:] + `","value":"` + h + `"}`,
		"a padded hash":             `{"siblings":[],"key":"` + h + `=","value":"` + h + `"}`,
		"a hash with a stray bit":   `{"siblings":[],"key":"` + h[1:] + `B","value":"` + h + `"}`,
		"a hash of standard base64": `{"siblings":[],"key":"` + h[1:] + `+","value":"` + h + `"}`,
		"a hash with a line end":    `{"siblings":[],"key":"\n` + h[1:] + `","value":"` + h + `"}`,
		"a sibling of one letter":   `{"siblings":["A"],"key":"","value":""}`,
	} {
		var p prefixmap.Proof
		if err := json.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("accepts %s", name)
		}
	}
}

func TestLongListIsRefusedByItsLength(t *testing.T) {
	text := `{"siblings":["",` + strings.Repeat(`"",`, 255) + `""],"key":"","value":""}`
	var p prefixmap.Proof
	if err := json.Unmarshal([]byte(text), &p); !errors.Is(err, prefixmap.ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	var p prefixmap.Proof
	text := `{"siblings":[],"key":"","value":"","Key":1,"hint":null}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Error(err)
	}
}
