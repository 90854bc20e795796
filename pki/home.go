package pki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/neurons-me/netget/identity"
)

const (
	settingsFile = "ca.yaml"
	databaseFile = "ca.db"
	networksDir  = "networks"
	stagingName  = ".netget-ca-" // prefix of folders that are being built
	maxURLBytes  = 300           // of https://, a DNS name and a port
)

// settings are what an authority keeps in ca.yaml.
type settings struct {
	Domain    string `yaml:"domain"`
	URL       string `yaml:"url"`       // public, with port: the audience of join tokens
	Encrypted bool   `yaml:"encrypted"` // whether the keys need a passphrase
	Extras    Extras `yaml:"extras"`    // of networks that are made without their own
}

// An InitConfig says what [Init] makes.
type InitConfig struct {
	Dir        string        // the authority's folder; it must not exist, or be empty
	Networks   []string      // names; empty: "development"
	Domain     string        // empty: [identity.DefaultDomain]
	URL        string        // the public URL, https://HOST:PORT
	Extras     Extras        // for all networks; the zero value: [DefaultExtras]
	LeafLife   time.Duration // 5 min to 7 d; 0: 24 h
	Passphrase Passphrase    // zero: the keys are stored plain
	Now        func() time.Time
}

// Initialised reports whether a folder holds an authority.
func Initialised(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, settingsFile))
	return err == nil
}

// Init makes an authority: its folder with settings, an empty inventory and
// the networks. The folder appears whole or not at all. Init returns
// [ErrInitialised], and touches nothing, when there is an authority already.
func Init(ctx context.Context, cfg InitConfig) ([]Network, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(cfg.Dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("making the home: %w", err)
	}
	unlock, err := lockFolder(parent)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := vacate(cfg.Dir); err != nil {
		return nil, err
	}
	removeStaging(parent)
	staging, err := os.MkdirTemp(parent, stagingName)
	if err != nil {
		return nil, fmt.Errorf("making the home: %w", err)
	}
	defer os.RemoveAll(staging) //nolint:errcheck // gone by then when all went well
	networks, err := cfg.build(ctx, staging)
	if err != nil {
		return nil, err
	}
	return networks, publish(staging, cfg.Dir)
}

// checked fills defaults and refuses what cannot be an authority.
func (cfg InitConfig) checked() (InitConfig, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Networks) == 0 {
		cfg.Networks = []string{"development"}
	}
	if cfg.Domain == "" {
		cfg.Domain = identity.DefaultDomain
	}
	if cfg.Extras.DNS == nil && cfg.Extras.IPs == nil {
		cfg.Extras = DefaultExtras()
	}
	slices.Sort(cfg.Networks)
	if unique := slices.Compact(slices.Clone(cfg.Networks)); len(unique) != len(cfg.Networks) {
		return cfg, identity.Refuse(identity.Malformed, "a network is named twice")
	}
	var specs []networkSpec
	for _, name := range cfg.Networks {
		spec, err := newNetworkSpec(name, cfg.Domain, cfg.Extras, cfg.LeafLife)
		if err != nil {
			return cfg, err
		}
		for _, other := range specs {
			if err := spec.checkBeside(other); err != nil {
				return cfg, err
			}
		}
		specs = append(specs, spec)
	}
	return cfg, checkURL(cfg.URL)
}

// build writes the whole authority into an empty folder.
func (cfg InitConfig) build(ctx context.Context, dir string) ([]Network, error) {
	s := settings{Domain: cfg.Domain, URL: cfg.URL, Encrypted: !cfg.Passphrase.IsZero(), Extras: cfg.Extras}
	if err := writeSettings(filepath.Join(dir, settingsFile), s); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, networksDir), 0o700); err != nil {
		return nil, fmt.Errorf("making the home: %w", err)
	}
	var networks []Network
	for _, name := range cfg.Networks {
		spec, err := newNetworkSpec(name, cfg.Domain, cfg.Extras, cfg.LeafLife)
		if err != nil {
			return nil, err
		}
		root, err := buildNetwork(filepath.Join(dir, networksDir, name), spec, cfg.Passphrase, cfg.Now())
		if err != nil {
			return nil, err
		}
		networks = append(networks, describeNetwork(spec.td, root))
	}
	st, err := openStore(ctx, filepath.Join(dir, databaseFile), nil)
	if err != nil {
		return nil, err
	}
	if err := st.close(); err != nil {
		return nil, err
	}
	return networks, errors.Join(syncDir(filepath.Join(dir, networksDir)), syncDir(dir))
}

// vacate makes sure that nothing stands where the authority shall be.
func vacate(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, settingsFile)); err == nil {
		return fmt.Errorf("initialising %s: %w", dir, ErrInitialised)
	}
	// Remove takes away an empty folder only.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("initialising %s: the folder is not empty and holds no authority: %w", dir, err)
	}
	return nil
}

// publish gives a finished folder its name, durably.
func publish(staging, dir string) error {
	if err := os.Chmod(staging, 0o700); err != nil { //nolint:gosec // a folder needs its x bit
		return fmt.Errorf("publishing %s: %w", dir, err)
	}
	if err := os.Rename(staging, dir); err != nil {
		return fmt.Errorf("publishing %s: %w", dir, err)
	}
	return syncDir(filepath.Dir(dir))
}

// removeStaging takes away what a process that was killed left half-built. The
// caller holds the lock under which such folders are made.
func removeStaging(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), stagingName) {
			_ = os.RemoveAll(filepath.Join(parent, e.Name()))
		}
	}
}

// checkURL requires https://HOST:PORT and nothing more: tokens carry it as
// their audience, and audiences are compared byte for byte.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURLBytes || u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || s != "https://"+u.Host {
		return identity.Refuse(identity.Malformed, "%.300q is not of the form https://HOST:PORT", s)
	}
	return nil
}

func writeSettings(path string, s settings) error {
	text, err := yaml.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	return writeFile(path, text, 0o600)
}

func readSettings(path string) (settings, error) {
	var s settings
	text, err := os.ReadFile(path) //nolint:gosec // the path is our own, inside the home
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("opening %s: %w", filepath.Dir(path), ErrNotInitialised)
	}
	if err != nil {
		return s, fmt.Errorf("reading the settings: %w", err)
	}
	if err := decodeYAML(text, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, checkURL(s.URL)
}

// maxYAMLMembers bounds one mapping of our files: the YAML package compares each
// of its keys with every other.
const maxYAMLMembers = 64

// decodeYAML refuses members that it does not know.
func decodeYAML(text []byte, into any) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	if err := checkMappings(&doc); err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	return dec.Decode(into)
}

func checkMappings(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode && len(n.Content) > 2*maxYAMLMembers {
		return fmt.Errorf("line %d: a mapping of more than %d members", n.Line, maxYAMLMembers)
	}
	for _, c := range n.Content {
		if err := checkMappings(c); err != nil {
			return err
		}
	}
	return nil
}
