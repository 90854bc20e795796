package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neurons-me/netget/identity"
)

// Limits of --leaf-life.
const (
	minLeafLife     = 5 * time.Minute
	maxLeafLife     = 7 * 24 * time.Hour
	defaultLeafLife = 24 * time.Hour
)

// Names of a network's files.
const (
	networkFile        = "network.yaml"
	rootName           = "root"
	nodeIssuerName     = "node-issuer"
	registryIssuerName = "registry-issuer"
	tokenKeyFile       = "token.key"
)

// A networkSpec is what a network is made from and keeps for good.
type networkSpec struct {
	td       identity.TrustDomain
	extras   Extras
	leafLife time.Duration
}

// networkYAML is the file form of a networkSpec.
type networkYAML struct {
	Network  string        `yaml:"network"`
	Domain   string        `yaml:"domain"`
	LeafLife time.Duration `yaml:"leaf_life"`
	Extras   Extras        `yaml:"extras"`
}

// newNetworkSpec checks what somebody asks for. A life of 0 is the default.
func newNetworkSpec(name, domain string, extras Extras, leafLife time.Duration) (networkSpec, error) {
	td, err := identity.NewTrustDomain(name, domain)
	if err != nil {
		return networkSpec{}, err
	}
	if leafLife == 0 {
		leafLife = defaultLeafLife
	}
	if leafLife < minLeafLife || leafLife > maxLeafLife || leafLife%time.Second != 0 {
		return networkSpec{}, identity.Refuse(identity.Limits, "certificates live from %s to %s in whole seconds, not %s", minLeafLife, maxLeafLife, leafLife)
	}
	if len(extras.IPs) == 0 {
		// An issuer without a constraint on addresses may name every address.
		extras.IPs = DefaultExtras().IPs
	}
	if extras.overlaps(td) {
		return networkSpec{}, identity.Refuse(identity.Malformed, "the extra DNS names reach into or above %s itself", td)
	}
	return networkSpec{td, extras, leafLife}, nil
}

// checkBeside refuses two networks of which one could speak for the other.
func (s networkSpec) checkBeside(other networkSpec) error {
	if s.extras.overlaps(other.td) || other.extras.overlaps(s.td) {
		return identity.Refuse(identity.Malformed, "the extra DNS names of %s and %s reach into one another", s.td, other.td)
	}
	return nil
}

// buildNetwork makes keys and certificates of a new network in a new folder,
// durably, and returns the root.
func buildNetwork(dir string, spec networkSpec, pass Passphrase, now time.Time) (*x509.Certificate, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making a network: %w", err)
	}
	root, rootKey, err := buildAuthority(dir, rootName, rootTemplate(spec.td, now), nil, nil, pass)
	if err != nil {
		return nil, err
	}
	if _, _, err := buildAuthority(dir, nodeIssuerName, nodeIssuerTemplate(spec.td, spec.extras, now), root, rootKey, pass); err != nil {
		return nil, err
	}
	if _, _, err := buildAuthority(dir, registryIssuerName, registryIssuerTemplate(spec.td, now), root, rootKey, pass); err != nil {
		return nil, err
	}
	tokenKey, err := newKey()
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(networkYAML{spec.td.Network(), spec.td.Domain(), spec.leafLife, spec.extras})
	if err != nil {
		return nil, fmt.Errorf("encoding a network: %w", err)
	}
	return root, errors.Join(
		writeKey(filepath.Join(dir, tokenKeyFile), tokenKey, pass),
		writeFile(filepath.Join(dir, networkFile), text, 0o600),
		syncDir(dir))
}

// buildAuthority makes one key with its certificate; without a parent it
// signs itself.
func buildAuthority(dir, name string, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, pass Passphrase) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	cert, err := signAuthority(template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	return cert, key, errors.Join(
		writeKey(filepath.Join(dir, name+".key"), key, pass),
		writeCertificate(filepath.Join(dir, name+".crt"), cert))
}

// networkKeys is what a network needs to issue. The root's key is not in it.
type networkKeys struct {
	spec                             networkSpec
	root, nodeIssuer, registryIssuer *x509.Certificate
	nodeKey, registryKey, tokenKey   crypto.Signer // registryKey is nil when it is kept elsewhere
}

// readNetwork loads a network for serving. It never opens the root's key.
func readNetwork(dir string, pass Passphrase, withRegistryIssuer bool) (networkKeys, error) {
	var k networkKeys
	text, err := os.ReadFile(filepath.Join(dir, networkFile)) //nolint:gosec // the path is our own, inside the home
	if err != nil {
		return k, fmt.Errorf("reading a network: %w", err)
	}
	var file networkYAML
	if err := decodeYAML(text, &file); err != nil {
		return k, fmt.Errorf("reading %s: %w", filepath.Join(dir, networkFile), err)
	}
	if k.spec, err = newNetworkSpec(file.Network, file.Domain, file.Extras, file.LeafLife); err != nil {
		return k, fmt.Errorf("reading %s: %w", filepath.Join(dir, networkFile), err)
	}
	if k.root, err = readCertificate(filepath.Join(dir, rootName+".crt")); err != nil {
		return k, err
	}
	if k.nodeIssuer, k.nodeKey, err = readIssuer(dir, nodeIssuerName, pass); err != nil {
		return k, err
	}
	if k.registryIssuer, err = readCertificate(filepath.Join(dir, registryIssuerName+".crt")); err != nil {
		return k, err
	}
	if withRegistryIssuer {
		if k.registryIssuer, k.registryKey, err = readIssuer(dir, registryIssuerName, pass); err != nil {
			return k, err
		}
	}
	k.tokenKey, err = readKey(filepath.Join(dir, tokenKeyFile), pass)
	return k, err
}

func readIssuer(dir, name string, pass Passphrase) (*x509.Certificate, crypto.Signer, error) {
	cert, err := readCertificate(filepath.Join(dir, name+".crt"))
	if err != nil {
		return nil, nil, err
	}
	key, err := readKey(filepath.Join(dir, name+".key"), pass)
	if err != nil {
		return nil, nil, err
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, nil, fmt.Errorf("%s: the key does not belong to the certificate", filepath.Join(dir, name+".key"))
	}
	return cert, key, nil
}

// A Network describes one network of an authority.
type Network struct {
	Network      string    `json:"network"`
	TrustDomain  string    `json:"trust_domain"`
	NID          string    `json:"nid"`         // b64u SHA-256 of the first root's public key
	RootSHA256   string    `json:"root_sha256"` // hex SHA-256 of the root's DER
	RootNotAfter time.Time `json:"root_not_after"`
}

func describeNetwork(td identity.TrustDomain, root *x509.Certificate) Network {
	return Network{
		Network:      td.Network(),
		TrustDomain:  td.String(),
		NID:          identity.NID(root).String(),
		RootSHA256:   fingerprint(root),
		RootNotAfter: root.NotAfter.UTC(),
	}
}

// fingerprint is SHA-256 of a certificate in the hexadecimal form that
// smallstep's tools and openssl use.
func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}
