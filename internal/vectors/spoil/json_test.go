package spoil_test

import (
	"testing"

	"github.com/neurons-me/netget/internal/vectors/spoil"
)

func TestJSON(t *testing.T) {
	const doc = `{"a":[1,"x,]"],"b":{"c":true},"d":-5}`
	for _, row := range []struct {
		name  string
		place uint16
		way   byte
		with  string
		want  string
	}{
		{"replaces a value", 2, 0, `{}`, `{"a":[{},"x,]"],"b":{"c":true},"d":-5}`},
		{"removes a member", 4, 1, ``, `{"a":[1,"x,]"],"d":-5}`},
		{"removes the last member", 6, 1, ``, `{"a":[1,"x,]"],"b":{"c":true}}`},
		{"removes the only member", 5, 1, ``, `{"a":[1,"x,]"],"b":{},"d":-5}`},
		{"doubles a member", 6, 2, ``, `{"a":[1,"x,]"],"b":{"c":true},"d":-5,"d":-5}`},
		{"exchanges two values", 6, 3, "\x00\x01", `{"a":-5,"b":{"c":true},"d":[1,"x,]"]}`},
		{"leaves a value that holds the other", 0, 3, "\x00\x01", doc},
		{"overwrites a value", 5, 4, "\x00\x03", `{"a":[1,"x,]"],"b":{"c":"x,]"},"d":-5}`},
		{"turns a bit", 3, 5, "\x00\x01\x01", `{"a":[1,"y,]"],"b":{"c":true},"d":-5}`},
		{"inserts before a member", 4, 6, `"e":0,`, `{"a":[1,"x,]"],"e":0,"b":{"c":true},"d":-5}`},
		{"counts around", 7, 0, `0`, `0`},
	} {
		if got := spoil.JSON([]byte(doc), row.place, row.way, []byte(row.with)); string(got) != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
	if got := spoil.JSON([]byte(`{"a"`), 0, 0, nil); string(got) != `{"a"` {
		t.Errorf("no JSON comes back as %s", got)
	}
}
