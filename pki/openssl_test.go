package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// openssl returns the path of the program. Where there is none the test is
// skipped, unless NETGET_TEST_REQUIRE names it.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	required := slices.Contains(strings.Split(os.Getenv("NETGET_TEST_REQUIRE"), ","), "openssl")
	switch {
	case err == nil:
	case required:
		t.Fatalf("openssl is required, but %v", err)
	default:
		t.Skipf("needs openssl: %v", err)
	}
	return path
}

// Another implementation accepts every certificate under its chain and in its
// strict mode, for the purposes that its profile has and for no other.
func TestCertificatesOfEveryProfileVerifyInOpenSSL(t *testing.T) {
	program := openssl(t)
	for _, s := range specimens(t) {
		t.Run(s.name, func(t *testing.T) {
			for purpose, good := range map[string]bool{
				"any":       true,
				"sslclient": s.client,
				"sslserver": s.server,
			} {
				said, err := verifyWith(t, program, s, purpose)
				if (err == nil) != good {
					t.Errorf("purpose %s: %v, want success %t: %s", purpose, err, good, said)
				}
				if !good && !strings.Contains(said, "certificate purpose") {
					t.Errorf("purpose %s was refused for another reason: %s", purpose, said)
				}
			}
		})
	}
}

// verifyWith runs openssl verify and returns what it said.
func verifyWith(t *testing.T, program string, s specimen, purpose string) (said string, err error) {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, certs []*x509.Certificate) string {
		path := filepath.Join(dir, name)
		var text []byte
		for _, c := range certs {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	last := len(s.chain) - 1
	args := []string{
		"verify", "-x509_strict", "-attime", strconv.FormatInt(s.at.Unix(), 10), "-purpose", purpose,
		"-no-CApath", "-no-CAstore", "-CAfile", file("root", s.chain[last:]),
	}
	if last > 1 {
		args = append(args, "-untrusted", file("issuer", s.chain[1:last]))
	}
	out, err := exec.CommandContext(t.Context(), program, append(args, file("leaf", s.chain[:1]))...).CombinedOutput()
	return string(out), err
}
