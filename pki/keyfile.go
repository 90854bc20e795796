package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"go.step.sm/crypto/pemutil"

	"github.com/neurons-me/netget/identity"
)

// A Passphrase protects the keys of an authority on disk. The zero Passphrase
// means that they are stored plain.
type Passphrase struct{ secret []byte }

// NewPassphrase returns the passphrase made of the given bytes; none make the
// zero Passphrase.
func NewPassphrase(secret []byte) Passphrase { return Passphrase{append([]byte(nil), secret...)} }

// IsZero reports whether there is no passphrase.
func (p Passphrase) IsZero() bool { return len(p.secret) == 0 }

// Wipe makes the passphrase, and all copies of it, useless.
func (p Passphrase) Wipe() { clear(p.secret) }

// String never tells.
func (p Passphrase) String() string { return "[redacted]" }

// LogValue never tells.
func (p Passphrase) LogValue() slog.Value { return slog.StringValue("[redacted]") }

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// writeKey stores key as PKCS#8, encrypted under PBES2 when there is a
// passphrase, in a new file of mode 0600.
func writeKey(path string, key *ecdsa.PrivateKey, pass Passphrase) error {
	opts := []pemutil.Options{pemutil.WithPKCS8(true)}
	if !pass.IsZero() {
		opts = append(opts, pemutil.WithPassword(pass.secret))
	}
	block, err := pemutil.Serialize(key, opts...)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writeFile(path, pem.EncodeToMemory(block), 0o600)
}

// readKey loads what [writeKey] stored. It returns
// [identity.ErrFileMode] for a file that others may touch and [ErrPassphrase] for one that does not open.
func readKey(path string, pass Passphrase) (crypto.Signer, error) {
	if err := identity.CheckSecretFile(path); err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the path is our own, inside the home
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM key", path)
	}
	encrypted := block.Type == "ENCRYPTED PRIVATE KEY"
	if encrypted && pass.IsZero() {
		return nil, fmt.Errorf("opening %s: %w", path, ErrPassphrase)
	}
	var opts []pemutil.Options
	if encrypted {
		opts = append(opts, pemutil.WithPassword(pass.secret))
	}
	parsed, err := pemutil.Parse(text, opts...)
	if err != nil && encrypted {
		// The encryption has no checksum: a wrong key shows as bad padding
		// or as bytes that are no key.
		return nil, fmt.Errorf("opening %s: %w", path, ErrPassphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("parsing %s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s holds no P-256 key", path)
	}
	return key, nil
}

func writeCertificate(path string, cert *x509.Certificate) error {
	return writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o644)
}

func readCertificate(path string) (*x509.Certificate, error) {
	cert, err := pemutil.ReadCertificate(path)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return cert, nil
}

// writeFile creates path with what it holds, on disk before it returns.
func writeFile(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode) //nolint:gosec // the path is our own, inside the home
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()) // the mode whatever the umask
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the path is our own, inside the home
	if err != nil {
		return fmt.Errorf("opening a folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}
