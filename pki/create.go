package pki

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A NetworkConfig says what [CA.CreateNetwork] makes.
type NetworkConfig struct {
	Network  string
	LeafLife time.Duration // 5 min to 7 d; 0: 24 h
	Extras   *Extras       // nil: those given to Init
}

// CreateNetwork makes a network beside the others; a server serves it from
// then on. It returns [ErrNetworkExists] for a name in use.
func (ca *CA) CreateNetwork(ctx context.Context, cfg NetworkConfig) (Network, error) {
	extras := ca.settings.Extras
	if cfg.Extras != nil {
		extras = *cfg.Extras
	}
	spec, err := newNetworkSpec(cfg.Network, ca.settings.Domain, extras, cfg.LeafLife)
	if err != nil {
		return Network{}, err
	}
	ca.creating.Lock()
	defer ca.creating.Unlock()
	for _, other := range ca.all() {
		if other.spec.td == spec.td {
			return Network{}, fmt.Errorf("creating %s: %w", spec.td, ErrNetworkExists)
		}
		if err := spec.checkBeside(other.spec); err != nil {
			return Network{}, err
		}
	}
	n, err := ca.addNetwork(spec)
	if err != nil {
		return Network{}, err
	}
	ca.audit.event(ctx, n, "network created")
	return n.describe(), nil
}

// addNetwork makes a network and lets the server see it. The caller holds
// creating.
func (ca *CA) addNetwork(spec networkSpec) (*network, error) {
	if err := ca.makeNetwork(spec); err != nil {
		return nil, err
	}
	n, err := ca.loadNetwork(spec.td.Network())
	if err != nil {
		return nil, err
	}
	networks := append(slices.Clone(ca.all()), n)
	slices.SortFunc(networks, func(a, b *network) int { return strings.Compare(a.name(), b.name()) })
	ca.networks.Store(&networks)
	return n, nil
}

// makeNetwork builds the network's folder aside and gives it its name.
func (ca *CA) makeNetwork(spec networkSpec) error {
	parent := filepath.Join(ca.dir, networksDir)
	staging, err := os.MkdirTemp(parent, stagingName)
	if err != nil {
		return fmt.Errorf("making a network: %w", err)
	}
	defer os.RemoveAll(staging) //nolint:errcheck // what is left of it is removed at the next start
	built := filepath.Join(staging, spec.td.Network())
	if _, err := buildNetwork(built, spec, ca.cfg.Passphrase, ca.cfg.Now()); err != nil {
		return err
	}
	return publish(built, filepath.Join(parent, spec.td.Network()))
}
