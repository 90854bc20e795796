package pki

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/internal/database"
)

// DefaultRenewGrace is for how long after its end a certificate may usually
// still be renewed.
const DefaultRenewGrace = 7 * 24 * time.Hour

// A Config says how to open an authority that [Init] made.
type Config struct {
	Dir              string                // the authority's folder
	Passphrase       Passphrase            // of its keys; zero when they are plain
	URL              string                // public URL for this run; empty: that of Init
	RenewGrace       time.Duration         // 0 forbids renewal after the end; see [DefaultRenewGrace]
	NoRegistryIssuer bool                  // leave the registry issuers' keys alone
	Logger           *slog.Logger          // failures; nil for none
	Audit            *slog.Logger          // an entry for everything issued, made, changed and refused; nil for Logger
	Metrics          prometheus.Registerer // nil for none
	Now              func() time.Time      // nil: the system's clock
	Connections      connlimit.Limits      // zero: DefaultConnections

	hook func(database.Moment) error // for tests of faults
	most limits                      // zero: defaultLimits; else for tests
}

// A CA is an open certificate authority. Its methods may be called
// concurrently, also while it serves.
type CA struct {
	dir      string
	cfg      Config
	settings settings
	store    *store
	audit    *audit

	limiter   *connlimit.Limiter
	strangers *strangers

	creating sync.Mutex // held while a network is made
	networks atomic.Pointer[[]*network]
	serving  atomic.Bool
}

// Open opens the authority and keeps other processes out until Close. Errors:
// [ErrNotInitialised], [ErrLocked], [ErrPassphrase], [identity.ErrFileMode].
func Open(ctx context.Context, cfg Config) (*CA, error) {
	s, err := readSettings(filepath.Join(cfg.Dir, settingsFile))
	if err != nil {
		return nil, err
	}
	if cfg, err = cfg.checked(s); err != nil {
		return nil, err
	}
	st, err := openKept(ctx, filepath.Join(cfg.Dir, databaseFile), cfg.hook)
	if err != nil {
		return nil, err
	}
	ca := &CA{dir: cfg.Dir, cfg: cfg, settings: s, store: st, limiter: connlimit.New(cfg.Connections), strangers: newStrangers(cfg.most)}
	networks, err := ca.load()
	if err == nil {
		ca.audit, err = newAudit(cfg.Audit, cfg.Now, cfg.Metrics, cfg.most)
	}
	if err == nil {
		err = countConnections(cfg.Metrics, ca.limiter)
	}
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	ca.networks.Store(&networks)
	return ca, nil
}

// checked fills defaults and refuses what cannot be served.
func (cfg Config) checked(s settings) (Config, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Audit == nil {
		cfg.Audit = cfg.Logger
	}
	if cfg.most == (limits{}) {
		cfg.most = defaultLimits()
	}
	cfg.Connections = cfg.Connections.Or(DefaultConnections())
	if cfg.URL == "" {
		cfg.URL = s.URL
	}
	if !s.Encrypted {
		cfg.Passphrase = Passphrase{} // given for another authority, or out of habit
	}
	if cfg.RenewGrace < 0 {
		return cfg, identity.Refuse(identity.Limits, "the grace of renewals is negative")
	}
	return cfg, checkURL(cfg.URL)
}

// Close gives the authority back. Whoever serves stops first.
func (ca *CA) Close() error { return ca.store.close() }

// Domain returns the domain of the deployment.
func (ca *CA) Domain() string { return ca.settings.Domain }

// URL returns the public URL, which is the audience of join tokens.
func (ca *CA) URL() string { return ca.cfg.URL }

// load reads all networks.
func (ca *CA) load() ([]*network, error) {
	parent := filepath.Join(ca.dir, networksDir)
	removeStaging(parent)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil, fmt.Errorf("reading the networks: %w", err)
	}
	var networks []*network
	for _, e := range entries { // sorted by name
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		n, err := ca.loadNetwork(e.Name())
		if err != nil {
			return nil, err
		}
		for _, other := range networks {
			if err := n.spec.checkBeside(other.spec); err != nil {
				return nil, err
			}
		}
		networks = append(networks, n)
	}
	return networks, nil
}

func (ca *CA) loadNetwork(name string) (*network, error) {
	keys, err := readNetwork(filepath.Join(ca.dir, networksDir, name), ca.cfg.Passphrase, !ca.cfg.NoRegistryIssuer)
	if err != nil {
		return nil, err
	}
	if keys.spec.td.Network() != name || keys.spec.td.Domain() != ca.settings.Domain {
		return nil, fmt.Errorf("the folder of network %s holds %s", name, keys.spec.td)
	}
	return newNetwork(keys, ca.store, ca.cfg.URL, ca.cfg.Now)
}

// all returns the networks by name; the slice is never changed.
func (ca *CA) all() []*network { return *ca.networks.Load() }

// network returns the network of a name; "" stands for the only one.
func (ca *CA) network(name string) (*network, error) {
	networks := ca.all()
	if name == "" && len(networks) == 1 {
		return networks[0], nil
	}
	if name == "" {
		return nil, identity.Refuse(identity.Malformed, "there are %d networks: name one", len(networks))
	}
	for _, n := range networks {
		if n.spec.td.Network() == name {
			return n, nil
		}
	}
	return nil, identity.Refuse(identity.NotFound, "there is no network %q", clip(name))
}
