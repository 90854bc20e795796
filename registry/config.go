package registry

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/registry/catalog"
)

// Defaults of [Config].
const (
	defaultReadRate      = 20
	defaultReadBurst     = 100
	defaultConnections   = 16_384
	defaultPerAddress    = 4_096
	defaultAuthorityTurn = 30 * time.Second
)

// A Network is one network that a [Server] answers for.
type Network struct {
	// Source is the registry's identity in the network. The server's DNS extras
	// are those that the issuer of its certificate permits.
	Source *identity.Source
	// Catalog is the network's state. Whoever made it opens and runs it.
	Catalog *catalog.Catalog
}

// A Config says what a [Server] serves and how much of it.
type Config struct {
	// Networks has at least one network.
	Networks []Network
	// Now is the clock; nil for [time.Now].
	Now func() time.Time
	// Logger hears about refusals and failures; nil for none.
	Logger *slog.Logger
	// Metrics is what /metrics of the operations port shows; the server adds
	// its own. Nil for a new registry.
	Metrics *prometheus.Registry

	// ReadRate is how many reads a second each identity may make, ReadBurst how
	// many at once; all but a record or a heartbeat counts as one. Zero: 20 and
	// 100.
	ReadRate  float64
	ReadBurst int
	// MaxConnections bounds the open connections, ConnectionsPerAddress those
	// from one IPv4 address or one IPv6 network of 64 bits. Zero: 16,384 and
	// 4,096.
	MaxConnections        int
	ConnectionsPerAddress int
}

// withDefaults returns the configuration with its documented defaults.
func (c Config) withDefaults() (Config, error) {
	if len(c.Networks) == 0 {
		return c, errors.New("a registry needs a network to serve")
	}
	for _, n := range c.Networks {
		if n.Source == nil || n.Catalog == nil {
			return c, errors.New("a network needs an identity and a catalog")
		}
		if id := n.Source.Identity().ID(); id.Type() != identity.RegistryNode {
			return c, identity.Refuse(identity.Denied, "%s is not the identity of a registry", id)
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.ReadRate <= 0 {
		c.ReadRate = defaultReadRate
	}
	if c.ReadBurst <= 0 {
		c.ReadBurst = defaultReadBurst
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = defaultConnections
	}
	if c.ConnectionsPerAddress <= 0 {
		c.ConnectionsPerAddress = defaultPerAddress
	}
	return c, nil
}
