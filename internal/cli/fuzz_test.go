package cli_test

import (
	"strings"
	"testing"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/vectors/spoil"
)

// A file of one key again and again must not be compared with itself for hours.
func TestConfigCostsWhatItsLengthSays(t *testing.T) {
	const size = 1 << 17
	for _, part := range []string{"a: 1\n", "- ", "[", "{a: ", "? ", "<<: {", "#\n", "---\n", "a:", " "} {
		text := strings.Repeat(part, size/len(part))
		for _, text := range []string{text, "a: 1\n---\n" + text, "a: [" + strings.Repeat("x,", size/2) + "]", "a: {" + strings.Repeat("x: 1,", size/5) + "}"} {
			spoil.Bounded(t, len(text), 256, func() {
				if items, err := cli.ParseConfig([]byte(text)); err == nil && len(items) > 1 {
					t.Errorf("%.40q gives %d members", text, len(items))
				}
			})
		}
	}
}

// FuzzConfig reads configuration files. What is taken is one mapping of texts
// that stand in the file, and no file costs more than its length.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"address: 127.0.0.1:8438\nregistry:\n  - https://a:1\n  - https://b:2\nmeta:\n  zone: a\n", "", "a: null\n", "a: [1, [2]]\n", "a: 1\na: 2\n", "a: &x 1\nb: *x\n",
		"<<: {a: 1}\n", "a: 1\n---\nb: 2\n", "a: !!binary AQI=\n", "? [a]\n: 1\n", "- a\n", "\x00", "a: \"\\x1b[2J\"\n", "{", strings.Repeat("[", 2000), strings.Repeat("a: ", 2000), strings.Repeat("- ", 5000),
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n---\ne: 1\n",
		"a: 1\n---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var items map[string][]string
		var err error
		spoil.Bounded(t, len(text), 2048, func() { items, err = cli.ParseConfig(text) })
		if err != nil {
			return // told to the file's owner, by the words of the YAML parser
		}
		total := 0
		for key, texts := range items {
			total += len(key)
			for _, item := range texts {
				total += len(item)
			}
		}
		if total > 4*len(text)+16 {
			t.Errorf("%d bytes are read from %d: %.400q", total, len(text), text)
		}
	})
}
