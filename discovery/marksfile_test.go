package discovery_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

func TestMarksThatOthersMayChangeAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marks.json")
	if err := os.WriteFile(path, []byte(`{"registries":{},"nodes":{},"crls":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]error{0o600: nil, 0o644: nil, 0o660: identity.ErrFileMode, 0o602: identity.ErrFileMode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := discovery.OpenMarks(path); !errors.Is(err, want) {
			t.Errorf("mode %v: got %v, want %v", mode, err, want)
		}
	}
}

func TestDamagedMarksSayWhichFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marks.json")
	if err := os.WriteFile(path, []byte(`{"registries":`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := discovery.OpenMarks(path)
	if damaged, ok := errors.AsType[*discovery.MarksError](err); !ok || damaged.Path != path || identity.CodeOf(err) != identity.Malformed {
		t.Errorf("got %v, want a MarksError of %s", err, path)
	}
}
