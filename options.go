package netget

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// Defaults of [Options].
const (
	DefaultTTL               = 6 * time.Hour
	DefaultHeartbeatInterval = 15 * time.Second
)

// Options say who a node is and what it offers. The zero value is a node with
// the default identity that only discovers.
type Options struct {
	// NodeType is "service" (default), "registry", "client" or "operator"; it
	// must fit the identity.
	NodeType string
	// Metadata is published with the node: at most 32 pairs, 4,096 bytes.
	// "name", when given, is the service and must equal the identity's.
	Metadata map[string]string
	// Network, when given, must equal the identity's.
	Network string
	// RegistryNodes are addresses, https://host:port. They only say where to
	// dial: which registries may answer there, the identity's authority
	// decides. Empty: those of the identity.
	RegistryNodes []string
	// Identity is the identity folder; empty: the default one.
	Identity string
	// Endpoints are where the service is reached, 1 to 8 of them.
	Endpoints []Endpoint
	// Check is how registries may probe the first endpoint; zero: not at all.
	Check Check
	// TTL is for how long each record lives, at most a day; 0: 6 hours. It is
	// signed anew at half of that.
	TTL time.Duration
	// HeartbeatInterval is how often the node proves that it lives, 1 s to
	// 1 h; 0: 15 s.
	HeartbeatInterval time.Duration
	// MinRegistries is how many registries must answer a discovery; 0: one.
	MinRegistries int
	// MaxStale bounds for how long the last verified answer is used while no
	// registry answers; 0: 15 minutes; negative: not at all.
	MaxStale time.Duration
	// KeepAnswers keeps each answer as it was sent, see [Discovery.Answer].
	KeepAnswers bool
	// Logger gets what happens in the background; nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// An Endpoint is a place where a service is reached.
type Endpoint struct {
	Name     string `json:"name"`     // unique in the node; empty: "default"
	Address  string `json:"address"`  // IP address or DNS name
	Port     int    `json:"port"`     // 1 to 65535
	Protocol string `json:"protocol"` // "tcp" (default) or "udp"
}

// A Check is how registries may probe a node's first endpoint.
type Check struct {
	Type     string        // "none" (default), "tcp", "mtls", "http", "https" or "grpc"
	Path     string        // for http and https, such as "/healthz"
	Interval time.Duration // 2 s to 1 h; 0: 10 s
}

const defaultCheckInterval = 10 * time.Second

// An OptionsError says that [Options] cannot be used as they are, or not with
// the identity they name.
type OptionsError struct{ Err error }

// Error returns what is wrong.
func (e *OptionsError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *OptionsError) Unwrap() error { return e.Err }

func badOption(format string, args ...any) error {
	return &OptionsError{fmt.Errorf(format, args...)}
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.HeartbeatInterval == 0 {
		o.HeartbeatInterval = DefaultHeartbeatInterval
	}
	if o.MaxStale == 0 {
		o.MaxStale = discovery.DefaultMaxStale
	}
	o.MaxStale = max(0, o.MaxStale)
	if o.Identity == "" {
		home, err := defaultHome()
		if err != nil {
			return Options{}, err
		}
		o.Identity = filepath.Join(home, "client")
	}
	if o.TTL < time.Second || o.TTL > identity.MaxRecordLife {
		return Options{}, badOption("the TTL is 1s to %s, not %s", identity.MaxRecordLife, o.TTL)
	}
	if o.HeartbeatInterval < time.Second || o.HeartbeatInterval > time.Hour {
		return Options{}, badOption("the heartbeat interval is 1s to 1h, not %s", o.HeartbeatInterval)
	}
	for _, address := range o.RegistryNodes {
		if _, err := discovery.ParseAddress(address); err != nil {
			return Options{}, &OptionsError{err}
		}
	}
	return o, nil
}

// checkIdentity holds the options against the identity they are used with.
func (o Options) checkIdentity(id identity.NodeID) error {
	kind := identity.FoldName(o.NodeType)
	switch kind {
	case "", "service", "registry", "client", "operator":
	default:
		return badOption("%q is not a node type: service, registry, client or operator", o.NodeType)
	}
	if kind != "" && kind != id.Type().String() {
		return badOption("the identity %s is a %s, not a %s", id, id.Type(), kind)
	}
	if network := identity.FoldName(o.Network); network != "" && network != id.TrustDomain().Network() {
		return badOption("the identity %s is of the network %s, not %s", id, id.TrustDomain().Network(), network)
	}
	if name := identity.FoldName(o.Metadata["name"]); name != "" && name != id.Service() {
		return badOption("the identity %s is of the service %s, not %s", id, id.Service(), name)
	}
	return nil
}

// endpoints returns the signed form of the endpoints.
func (o Options) endpoints() ([]identity.Endpoint, error) {
	if len(o.Endpoints) == 0 {
		return nil, badOption("a node that registers needs at least one endpoint")
	}
	var out []identity.Endpoint
	for _, e := range o.Endpoints {
		name, protocol := identity.FoldName(e.Name), identity.FoldName(e.Protocol)
		if name == "" {
			name = "default"
		}
		if protocol == "" {
			protocol = "tcp"
		}
		out = append(out, identity.Endpoint{Address: identity.FoldName(e.Address), Name: name, Port: int64(e.Port), Protocol: protocol})
	}
	return out, nil
}

// check returns the signed form of the check.
func (o Options) check() identity.Check {
	c := identity.Check{Type: identity.CheckType(strings.ToLower(o.Check.Type)), Path: o.Check.Path, Interval: int64(o.Check.Interval / time.Second)}
	if c.Type == "" {
		c.Type = identity.CheckNone
	}
	if c.Interval == 0 {
		c.Interval = int64(defaultCheckInterval / time.Second)
	}
	return c
}

// defaultHome is where all three programs keep their files (docs/cli.md, "Home").
func defaultHome() (string, error) {
	if home := os.Getenv("NETGET_HOME"); home != "" {
		return home, nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/netget", nil
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "netget"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("looking for the default identity: %w", err)
	}
	return filepath.Join(user, ".local", "share", "netget"), nil
}
