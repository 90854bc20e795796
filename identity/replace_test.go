package identity_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/neurons-me/netget/identity"
)

func TestReplaceFileReplacesNothingButFiles(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(path string) error{
		"a pipe":                func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":              func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to a file":      func(path string) error { return os.Symlink(target, path) },
		"a link to a device":    func(path string) error { return os.Symlink(os.DevNull, path) },
		"a link to no file yet": func(path string) error { return os.Symlink(filepath.Join(dir, "none"), path) },
	} {
		path := filepath.Join(dir, name)
		if err := set(path); err != nil {
			t.Fatal(err)
		}
		before := typeOf(t, path)
		if err := identity.ReplaceFile(path, []byte("new"), 0o600); !errors.Is(err, identity.ErrNotRegular) {
			t.Errorf("%s: got %v, want ErrNotRegular", name, err)
		}
		if after := typeOf(t, path); after != before {
			t.Errorf("%s: is %v now, was %v", name, after, before)
		}
	}
	if text, err := os.ReadFile(target); err != nil || string(text) != "precious" {
		t.Errorf("the file behind a link is %q now, %v", text, err)
	}
}

func typeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Mode().Type()
}
