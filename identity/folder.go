package identity

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Errors of identity folders.
var (
	// ErrNoIdentity says that a folder holds no identity.
	ErrNoIdentity = errors.New("no identity")
	// ErrIdentityExists says that a folder holds an identity already.
	ErrIdentityExists = errors.New("the folder holds an identity already")
	// ErrFileMode says that others may read a file that holds a secret, or may
	// change what a program relies on.
	ErrFileMode = errors.New("others may read or change this file")
)

// The files of an identity folder.
const (
	KeyFile         = "node.key"
	CertFile        = "node.crt"
	BundleFile      = "bundle.pem"
	DocumentFile    = "identity.json"
	MarksFile       = "marks.json"
	StateFile       = "node.state"
	SigningKeyFile  = "signing.key"
	SigningCertFile = "signing.crt"
	LockFile        = "identity.lock" // held by whoever changes the others; stays

	nextSuffix = ".next" // of a key whose certificate may not be there yet

	secretMode fs.FileMode = 0o600
	publicMode fs.FileMode = 0o644
	folderMode fs.FileMode = 0o700
)

// A Document is identity.json: what a folder is of, for programs to read.
type Document struct {
	ID         NodeID          `json:"id"`
	Network    string          `json:"network"`
	Domain     string          `json:"domain"`
	NID        Hash            `json:"nid"`
	Type       string          `json:"type"` // see [NodeType.String]
	CA         string          `json:"ca"`   // URL of the authority
	Registries []KnownRegistry `json:"registries"`
}

// A KnownRegistry is a registry that the authority named, with its URLs.
type KnownRegistry struct {
	Registry  NodeID   `json:"registry"`
	Addresses []string `json:"addresses"`
}

// An Identity is all that a folder holds of one node: immutable, replaced as a
// whole when a certificate is renewed or the bundle changes.
type Identity struct {
	Document   Document
	Credential *Credential
	Signing    *Credential // of registries; nil for others
	Bundle     *Bundle
}

// ID returns whose identity it is.
func (i *Identity) ID() NodeID { return i.Document.ID }

// check holds an identity together: all its parts are of one node and network.
func (i *Identity) check() error {
	d := i.Document
	td := i.Bundle.TrustDomain()
	if d.Type != d.ID.Type().String() {
		return Refuse(Malformed, "%s is of type %q, %s is a %s", DocumentFile, clip(d.Type), d.ID, d.ID.Type())
	}
	if d.ID.TrustDomain() != td || d.Network != td.Network() || d.Domain != td.Domain() || d.NID != NID(i.Bundle.roots[0]) {
		return Refuse(WrongNetwork, "%s does not fit the bundle of %s", DocumentFile, td)
	}
	if i.Credential.ID() != d.ID {
		return Refuse(Binding, "%s is of %s, %s of %s", DocumentFile, d.ID, CertFile, i.Credential.ID())
	}
	if _, err := i.Bundle.Verify(i.Credential.leaf, i.Credential.issuer, ClientUse); err != nil {
		return fmt.Errorf("checking %s: %w", CertFile, err)
	}
	if (i.Signing != nil) != (d.ID.Type() == RegistryNode) {
		return Refuse(Malformed, "a registry, and no other node, has a signing certificate")
	}
	if i.Signing == nil {
		return nil
	}
	if i.Signing.ID() != d.ID {
		return Refuse(Binding, "%s is of %s", SigningCertFile, i.Signing.ID())
	}
	_, err := i.Bundle.Verify(i.Signing.leaf, i.Signing.issuer, SigningUse)
	return err
}

// A Folder is a place on disk where one identity lives.
type Folder struct{ dir string }

// NewFolder returns the folder at dir, which need not exist yet.
func NewFolder(dir string) *Folder { return &Folder{dir} }

// Dir returns where the folder is.
func (f *Folder) Dir() string { return f.dir }

// Path returns where one of its files is.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Exists reports whether the folder holds an identity, whole or not.
func (f *Folder) Exists() bool {
	for _, name := range []string{KeyFile, CertFile, DocumentFile} {
		if _, err := os.Lstat(f.Path(name)); err == nil {
			return true
		}
	}
	return false
}

// Load reads and checks the identity. Errors: [ErrNoIdentity], [ErrFileMode],
// or the class of what does not fit together.
func (f *Folder) Load() (*Identity, error) {
	text, err := f.readTrusted(DocumentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", f.dir, ErrNoIdentity)
	}
	if err != nil {
		return nil, err
	}
	if err := CheckTrustedFile(f.dir); err != nil {
		return nil, err
	}
	i := &Identity{}
	if err := UnmarshalStrict(text, &i.Document); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path(DocumentFile), err)
	}
	if text, err = f.readTrusted(BundleFile); err != nil {
		return nil, err
	}
	if i.Bundle, err = BundleFromPEM(text, Hash{}); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path(BundleFile), err)
	}
	if i.Credential, err = f.loadCredential(KeyFile, CertFile); err != nil {
		return nil, err
	}
	if i.Document.ID.Type() == RegistryNode {
		if i.Signing, err = f.loadCredential(SigningKeyFile, SigningCertFile); err != nil {
			return nil, err
		}
	}
	return i, i.check()
}

// loadCredential reads a key with its certificate. Another program may be
// renewing them meanwhile, between its two renames: then reading again finds
// the pair.
func (f *Folder) loadCredential(keyFile, certFile string) (*Credential, error) {
	const tries = 3
	for try := 1; ; try++ {
		cred, err := f.readPair(keyFile, certFile)
		if err == nil || try == tries || CodeOf(err) != BadCert {
			return cred, err
		}
	}
}

// readPair reads the certificate and then, of the key and its next one, that
// which belongs to it. It writes nothing: what a cut renewal left is put in its
// place by the next [Folder.Save].
func (f *Folder) readPair(keyFile, certFile string) (*Credential, error) {
	text, err := f.readTrusted(certFile)
	if err != nil {
		return nil, err
	}
	leaf, issuer, err := DecodeChain(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Path(certFile), err)
	}
	for _, name := range []string{keyFile + nextSuffix, keyFile} {
		key, err := f.loadKey(name)
		if errors.Is(err, fs.ErrNotExist) && name != keyFile {
			continue
		}
		if err != nil {
			return nil, err
		}
		if samePublicKey(key.Public(), leaf.PublicKey) {
			return NewCredential(key, leaf, issuer)
		}
	}
	return nil, Refuse(BadCert, "%s does not belong to %s", f.Path(keyFile), f.Path(certFile))
}

func (f *Folder) loadKey(name string) (crypto.Signer, error) {
	path := f.Path(name)
	if err := CheckSecretFile(path); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path) //nolint:gosec // a file of the folder that the caller chose
	if err != nil {
		return nil, err
	}
	key, err := DecodeKey(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return key, nil
}

func (f *Folder) readTrusted(name string) ([]byte, error) {
	if err := CheckTrustedFile(f.Path(name)); err != nil {
		return nil, err
	}
	return os.ReadFile(f.Path(name))
}

// Create writes a new identity; identity.json comes last, so that a folder
// without it holds none. An existing one is [ErrIdentityExists] unless force;
// with force all that belonged to it, marks and node state too, is removed, but
// not before the new one is on disk beside it. A folder that others may change
// is [ErrFileMode].
func (f *Folder) Create(i *Identity, force bool) error {
	if err := i.check(); err != nil {
		return err
	}
	if err := os.MkdirAll(f.dir, folderMode); err != nil {
		return err
	}
	if err := CheckTrustedFile(f.dir); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if f.Exists() && !force {
		return fmt.Errorf("%s: %w", f.dir, ErrIdentityExists)
	}
	dir, err := os.MkdirTemp(f.dir, ".create-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left there is of no use
	next := NewFolder(dir)
	if err := next.save(i); err != nil {
		return err
	}
	return f.adopt(next)
}

// adopt moves the files of another folder here, in place of all that is here.
func (f *Folder) adopt(next *Folder) error {
	for _, name := range []string{
		DocumentFile, MarksFile, StateFile, KeyFile, CertFile, SigningKeyFile, SigningCertFile,
		KeyFile + nextSuffix, SigningKeyFile + nextSuffix,
	} {
		if err := os.Remove(f.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{BundleFile, KeyFile, CertFile, SigningKeyFile, SigningCertFile, DocumentFile} {
		if err := os.Rename(next.Path(name), f.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return SyncFolder(f.dir)
}

// Save replaces the identity by a later one of the same node. Cut at any
// point, it leaves a folder that loads: a later bundle still trusts the earlier
// certificates, so it goes first. Whoever derives the later one from the earlier
// uses a [Source], which loads and saves as one change.
func (f *Folder) Save(i *Identity) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return f.save(i)
}

// save is [Folder.Save] for who holds the lock.
func (f *Folder) save(i *Identity) error {
	if err := ReplaceFile(f.Path(BundleFile), i.Bundle.PEM(), publicMode); err != nil {
		return err
	}
	if err := f.saveCredential(i.Credential, KeyFile, CertFile); err != nil {
		return err
	}
	if i.Signing != nil {
		if err := f.saveCredential(i.Signing, SigningKeyFile, SigningCertFile); err != nil {
			return err
		}
	}
	d := i.Document
	d.Registries = append([]KnownRegistry{}, d.Registries...) // never null
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return ReplaceFile(f.Path(DocumentFile), append(text, '\n'), publicMode)
}

// saveCredential writes key, certificate, and then lets the key take its
// place: cut at any point, [Folder.readPair] finds a pair that fits.
func (f *Folder) saveCredential(c *Credential, keyFile, certFile string) error {
	if err := f.settle(keyFile, certFile); err != nil {
		return err
	}
	text, err := EncodeKey(c.key)
	if err != nil {
		return err
	}
	if err := ReplaceFile(f.Path(keyFile+nextSuffix), text, secretMode); err != nil {
		return err
	}
	if err := ReplaceFile(f.Path(certFile), EncodeChain(c.leaf, c.issuer), publicMode); err != nil {
		return err
	}
	if err := os.Rename(f.Path(keyFile+nextSuffix), f.Path(keyFile)); err != nil {
		return err
	}
	return SyncFolder(f.dir)
}

// settle ends a renewal that was cut before its last rename: the next key, if
// it is the certificate's, takes its place before another is written over it.
func (f *Folder) settle(keyFile, certFile string) error {
	next, err := f.loadKey(keyFile + nextSuffix)
	if err != nil {
		return nil //nolint:nilerr // there is none, or none that could be of use
	}
	cred, err := f.readPair(keyFile, certFile)
	if err != nil || !samePublicKey(next.Public(), cred.leaf.PublicKey) {
		return nil //nolint:nilerr // the next key is not in use
	}
	return os.Rename(f.Path(keyFile+nextSuffix), f.Path(keyFile))
}
