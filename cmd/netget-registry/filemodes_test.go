package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/identity"
)

// Whatever umask the programs are started with, what they make is for its owner
// alone: folders 0700, sockets and files 0600, but for what is public anyway and
// lies in such a folder.
func TestFilesHaveTheirModeWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		t.Run(fmt.Sprintf("%04o", umask), func(t *testing.T) {
			w := newSecretsWorld(t)
			must(t, os.Mkdir(w.home, 0o700))
			old := syscall.Umask(umask)
			defer syscall.Umask(old)
			w.home = filepath.Join(w.home, "deeper")
			w.run(t, 0, "", "netget-ca", "init", "--no-passphrase")
			ca := w.start(t, "netget-ca", "serve", "--address", "127.0.0.1:0", "--ops-address", "off")
			w.run(t, 0, "", "netget-ca", "network", "create", "production")
			w.run(t, 0, w.token(t, "registry", "r-1", "--network", "development"), "netget-registry", "enroll", "-")
			w.run(t, 0, w.token(t, "billing", "b-1", "--network", "development"), "netget-client", "enroll", "-")
			registry := w.start(t, "netget-registry", "serve", "--address", "127.0.0.1:0", "--ops-address", "off")
			at := "https://" + registry.ready["address"].(string)
			node := w.start(t, "netget-client", "register", "--address", "127.0.0.1:5432", "--registry", at, "--", "sh", "-c", "umask; exec sleep 600")
			w.run(t, 0, "", "netget-client", "discover", "billing", "--registry", at)
			eventually(t, time.Minute, "the newest head beside the store", func() bool {
				_, err := os.Stat(filepath.Join(w.home, "registry", "identity", "head.json"))
				return err == nil
			})
			w.checkModes(t)
			if want := fmt.Sprintf("%04o\n", umask); !strings.Contains(node.text(), want) {
				t.Errorf("the command has another umask than we were given, %s:\n%s", want, node.text())
			}
			node.end(t, syscall.SIGTERM, 128+int(syscall.SIGTERM))
			registry.end(t, syscall.SIGTERM, 0)
			ca.end(t, syscall.SIGTERM, 0)
			w.checkModes(t)
		})
	}
}

func (w *secretsWorld) checkModes(t *testing.T) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(w.home, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		seen++
		want := os.FileMode(0o600)
		switch {
		case d.IsDir():
			want = 0o700
		case isPublic(filepath.Base(path)):
			want = 0o644
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", strings.TrimPrefix(path, w.home), got, want)
		}
		return nil
	})
	if err != nil || seen < 30 {
		t.Errorf("%d files were seen, %v", seen, err)
	}
}

// isPublic reports whether a file holds only what everybody may know.
func isPublic(name string) bool {
	return strings.HasSuffix(name, ".crt") || name == "bundle.pem" || name == identity.DocumentFile
}
