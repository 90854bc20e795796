package discovery_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"runtime"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// packed returns n bytes of nothing as one gzip member.
func packed(n int) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	must(w.Write(make([]byte, n)))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Whatever a reply says of its coding, no more of it is inflated than an answer
// may have.
func TestRepliesThatInflateAreBounded(t *testing.T) {
	s := newSetup("north")
	north := newLab(s.ca, s.clock, "north")
	north.commit(newNode(s.ca, "db-1", start))
	c := s.client(t, nil, north.serve(t))
	good := packed(10)
	cut := good[:len(good)-4]
	lying := bytes.Clone(good)
	lying[len(lying)-1] = 0xff // the length that the trailer tells
	for name, row := range map[string]struct {
		coding string
		body   []byte
		code   identity.Code // "": the reply cannot be read at all
	}{
		"a bomb":                         {"gzip", packed(2 * discovery.MaxAnswerBytes), identity.Limits},
		"a bomb of many members":         {"gzip", bytes.Repeat(packed(1<<20), 64), identity.Limits},
		"many members of nothing":        {"gzip", bytes.Repeat(packed(0), 100_000), identity.Malformed},
		"a bomb in a bomb":               {"gzip, gzip", packed(1 << 20), identity.Malformed},
		"a coding that nobody asked for": {"deflate", packed(1 << 20), identity.Malformed},
		"no gzip at all":                 {"gzip", []byte("{}"), ""},
		"a trailer that is cut":          {"gzip", cut, ""},
		"a trailer that lies":            {"gzip", lying, ""},
		"what follows is no member":      {"gzip", append(bytes.Clone(good), "more"...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			north.header = http.Header{"Content-Encoding": {row.coding}}
			north.edit = func(string, int64, []byte) (int, []byte) { return http.StatusOK, row.body }
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Discover(t.Context(), service)
			runtime.ReadMemStats(&after)
			if got := identity.CodeOf(err); err == nil || got != row.code {
				t.Errorf("got %v, class %q, want %q", err, got, row.code)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 8*discovery.MaxAnswerBytes {
				t.Errorf("%d bytes were allocated for a reply of %d", used, len(row.body))
			}
		})
	}
}
