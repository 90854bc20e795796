package vectors_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
	"github.com/neurons-me/netget/internal/vectors/forge"
	"github.com/neurons-me/netget/internal/vectors/judge"
)

const folder = "../../testdata/vectors"

func TestFilesAreWhatTheCommandMakes(t *testing.T) {
	files, err := forge.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what `go run ./internal/vectors/make` writes", name)
		}
	}
}

// A vector is any of the kinds.
type vector interface {
	Title() string
	Verdict() identity.Code
}

// each runs check over all vectors of a file. check returns the error with
// which the input was refused; the verdict is compared here.
func each[V vector](t *testing.T, file string, check func(*testing.T, V) error) {
	t.Helper()
	f, err := vectors.Read[V](folder, file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]struct{}{}
	for _, v := range f.Vectors {
		if _, dup := seen[v.Title()]; dup {
			t.Errorf("two vectors are called %q", v.Title())
		}
		seen[v.Title()] = struct{}{}
		t.Run(v.Title(), func(t *testing.T) {
			err := check(t, v)
			if got := identity.CodeOf(err); got != v.Verdict() || (err != nil) != (v.Verdict() != "") {
				t.Errorf("got class %q (%v), want %q", got, err, v.Verdict())
			}
		})
	}
}

func bundleOf(t *testing.T, doc json.RawMessage) *identity.Bundle {
	t.Helper()
	b, err := identity.ParseBundle(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// statementOf opens a statement that the vector's reader has verified before.
func statementOf(t *testing.T, b *identity.Bundle, s vectors.Signed) *identity.Statement {
	t.Helper()
	statement, err := judge.Statement(b, s)
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

// decompressed reads what gzip holds, up to most bytes and one more.
func decompressed(t *testing.T, compressed []byte, most int64) []byte {
	t.Helper()
	b, err := judge.Decompressed(compressed, most)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func at(unix int64) time.Time { return time.Unix(unix, 0).UTC() }
