package registry

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

const (
	behindWait = 2 * time.Second // how long a caller waits who knows a later version
	behindPoll = 50 * time.Millisecond
)

// A network is one tenant of the server.
type network struct {
	domain  string // the trust domain
	extras  []string
	source  *identity.Source
	catalog *catalog.Catalog
	cache   *cache
	bundles atomic.Pointer[bundleBody]
}

func newNetwork(cfg Network) *network {
	i := cfg.Source.Identity()
	return &network{
		domain: i.Bundle.TrustDomain().String(), extras: extrasOf(i),
		source: cfg.Source, catalog: cfg.Catalog, cache: newCache(),
	}
}

// name returns the network's label, for logs and metrics.
func (n *network) name() string { return n.source.Identity().Document.Network }

// tenant is the network towards TLS: its certificate, and who may connect.
func (n *network) tenant(now func() time.Time) *identity.Tenant {
	return &identity.Tenant{
		Credential: func() *tls.Certificate { return n.source.Identity().Credential.TLS() },
		Verify: func(state tls.ConnectionState) error {
			_, err := n.verify(state, now())
			return err
		},
	}
}

// snapshot returns the newest state, once it is not older than version from,
// which the caller has seen. A replica that is behind has a moment to catch up;
// then the error is a [*behindError].
func (n *network) snapshot(ctx context.Context, from int64) (*catalog.Snapshot, error) {
	if err := n.catalog.Err(); err != nil {
		return nil, identity.Refuse(identity.Unavailable, "the network is not served any more: %w", err)
	}
	s := n.catalog.Snapshot()
	if s == nil {
		return nil, identity.Refuse(identity.Unavailable, "the catalog is not open")
	}
	if from <= s.Head().Version {
		return s, nil
	}
	ctx, cancel := context.WithTimeout(ctx, behindWait)
	defer cancel()
	tick := time.NewTicker(behindPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, newBehind(n.catalog.Snapshot().Head().Version, from)
		case <-tick.C:
			if s = n.catalog.Snapshot(); from <= s.Head().Version {
				return s, nil
			}
		}
	}
}

// A bundleBody is the bundle as it is sent.
type bundleBody struct {
	of   *identity.Bundle
	json []byte
	hash identity.Hash
}

// bundle returns the body of the bundle in force.
func (n *network) bundle() (*bundleBody, error) {
	b := n.source.Identity().Bundle
	if known := n.bundles.Load(); known != nil && known.of == b {
		return known, nil
	}
	d := b.Document()
	d.Registries = nil // only the authority hands out the list
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	body := &bundleBody{of: b, json: text, hash: sha256.Sum256(text)}
	n.bundles.Store(body)
	return body, nil
}
