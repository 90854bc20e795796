package registry

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/registry/catalog"
)

// Defaults of [Config].
const (
	defaultReadRate    = 20
	defaultReadBurst   = 100
	defaultUnsentBytes = 256 << 20

	// DefaultConnectionsPerIdentity is far more than a node needs, and far less
	// than there are in all.
	DefaultConnectionsPerIdentity = 256
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
	// Logger hears about failures; nil for none.
	Logger *slog.Logger
	// Audit gets an entry for every refusal; nil for Logger.
	Audit *slog.Logger
	// Metrics is what /metrics of the operations port shows; the server adds
	// its own. Nil for a new registry.
	Metrics *prometheus.Registry

	// ReadRate is how many reads a second each identity may make, ReadBurst how
	// many at once; all but a record or a heartbeat counts as one. Zero: 20 and
	// 100.
	ReadRate  float64
	ReadBurst int
	// Connections bounds the connections. Zero: 16,384 open, 4,096 of them from
	// one address, which may open as many at once and 200 a second, so that all
	// nodes behind one address can come back together. When all places are taken
	// those make room who have not shown a certificate yet.
	Connections connlimit.Limits
	// ConnectionsPerIdentity bounds the connections of one identity: above it
	// the oldest ends. Zero: 256. It is never more than a quarter of all.
	ConnectionsPerIdentity int
	// UnsentBytes bounds what is kept alive by responses that are read slowly:
	// of each version of a document once. Above it the oldest end of the
	// identity that keeps most, of what several share its share. Zero: 256 MiB.
	UnsentBytes int64
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
	if c.Audit == nil {
		c.Audit = c.Logger
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	c.ReadRate = positive(c.ReadRate, defaultReadRate)
	c.ReadBurst = positive(c.ReadBurst, defaultReadBurst)
	c.Connections = c.Connections.Or(DefaultConnections())
	c.ConnectionsPerIdentity = min(positive(c.ConnectionsPerIdentity, DefaultConnectionsPerIdentity), max(c.Connections.Most/4, 1))
	c.UnsentBytes = positive(c.UnsentBytes, defaultUnsentBytes)
	return c, nil
}

// DefaultConnections are the limits of a registry's connections.
func DefaultConnections() connlimit.Limits {
	return connlimit.Limits{Most: 16_384, PerAddress: 4_096, Rate: 200, Burst: 4_096}
}

// positive returns v, or its default.
func positive[T int | int64 | float64](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
