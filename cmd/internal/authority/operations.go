package authority

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

// The operations on the admin socket.
const (
	routeCreateNetwork  = "/v1/networks/create"
	routeNetworks       = "/v1/networks/list"
	routeNetwork        = "/v1/networks/show"
	routeToken          = "/v1/tokens/create" //nolint:gosec // a path, no secret
	routeEnroll         = "/v1/enroll"
	routeAddRegistry    = "/v1/registries/add"
	routeRemoveRegistry = "/v1/registries/remove"
	routeRegistries     = "/v1/registries/list"
	routeCertificates   = "/v1/certificates/list"
)

// Handler answers the operations of [Authority] at the admin socket.
func Handler(ca *pki.CA) http.Handler {
	mux := http.NewServeMux()
	mount(mux, ca, routeCreateNetwork, createNetwork)
	mount(mux, ca, routeNetworks, networks)
	mount(mux, ca, routeNetwork, network)
	mount(mux, ca, routeToken, token)
	mount(mux, ca, routeEnroll, enrolOffline)
	mount(mux, ca, routeAddRegistry, addRegistry)
	mount(mux, ca, routeRemoveRegistry, removeRegistry)
	mount(mux, ca, routeRegistries, registries)
	mount(mux, ca, routeCertificates, certificates)
	return mux
}

// CreateNetwork makes a network beside the others.
func (a Authority) CreateNetwork(ctx context.Context, cfg pki.NetworkConfig) (pki.Network, error) {
	return do(ctx, a, routeCreateNetwork, cfg, createNetwork)
}

func createNetwork(ctx context.Context, ca *pki.CA, cfg pki.NetworkConfig) (pki.Network, error) {
	return ca.CreateNetwork(ctx, cfg)
}

// Networks describes all networks, by name.
func (a Authority) Networks(ctx context.Context) ([]pki.Network, error) {
	return do(ctx, a, routeNetworks, struct{}{}, networks)
}

func networks(_ context.Context, ca *pki.CA, _ struct{}) ([]pki.Network, error) {
	return ca.Networks(), nil
}

// Network describes one network; "" stands for the only one.
func (a Authority) Network(ctx context.Context, name string) (pki.Network, error) {
	return do(ctx, a, routeNetwork, name, network)
}

func network(_ context.Context, ca *pki.CA, name string) (pki.Network, error) {
	if err := checkChoice(ca, name); err != nil {
		return pki.Network{}, err
	}
	return ca.Network(name)
}

// Token makes a join token.
func (a Authority) Token(ctx context.Context, r pki.TokenRequest) (pki.Token, error) {
	return do(ctx, a, routeToken, r, token)
}

func token(ctx context.Context, ca *pki.CA, r pki.TokenRequest) (pki.Token, error) {
	if err := checkChoice(ca, r.Network); err != nil {
		return pki.Token{}, err
	}
	// An authority without a port of its own has one while it serves.
	if u, err := url.Parse(ca.URL()); err == nil && u.Port() == "0" {
		return pki.Token{}, cli.Hint(cli.Usage("the authority has no fixed port, and does not run"),
			"start 'netget-ca serve' first: tokens name the address where it answers")
	}
	return ca.Token(ctx, r)
}

// checkChoice wants a network to be named where there are several.
func checkChoice(ca *pki.CA, name string) error {
	var names []string
	for _, n := range ca.Networks() {
		names = append(names, n.Network)
	}
	if name != "" || len(names) == 1 {
		return nil
	}
	return cli.Hint(cli.Usage("there are %d networks: name one", len(names)), "give --network, one of: %s", strings.Join(names, ", "))
}

// A RegistryAddress is one URL of one registry of a network.
type RegistryAddress struct {
	Network string `json:"network"` // "" for the only one
	Node    string `json:"node"`    // the registry's label; not needed for removal
	URL     string `json:"url"`
}

// AddRegistry makes the URL an address of the registry and returns the
// network's registries.
func (a Authority) AddRegistry(ctx context.Context, r RegistryAddress) ([]pki.Registry, error) {
	return do(ctx, a, routeAddRegistry, r, addRegistry)
}

func addRegistry(ctx context.Context, ca *pki.CA, r RegistryAddress) ([]pki.Registry, error) {
	if err := checkChoice(ca, r.Network); err != nil {
		return nil, err
	}
	if _, err := ca.AddRegistry(ctx, r.Network, r.Node, r.URL); err != nil {
		return nil, err
	}
	return ca.Registries(ctx, r.Network)
}

// RemoveRegistry takes the URL away and returns the network's registries.
func (a Authority) RemoveRegistry(ctx context.Context, r RegistryAddress) ([]pki.Registry, error) {
	return do(ctx, a, routeRemoveRegistry, r, removeRegistry)
}

func removeRegistry(ctx context.Context, ca *pki.CA, r RegistryAddress) ([]pki.Registry, error) {
	if err := checkChoice(ca, r.Network); err != nil {
		return nil, err
	}
	if err := ca.RemoveRegistry(ctx, r.Network, r.URL); err != nil {
		return nil, err
	}
	return ca.Registries(ctx, r.Network)
}

// Registries lists the registries of a network; "" stands for all networks.
func (a Authority) Registries(ctx context.Context, network string) ([]pki.Registry, error) {
	return do(ctx, a, routeRegistries, network, registries)
}

func registries(ctx context.Context, ca *pki.CA, network string) ([]pki.Registry, error) {
	return ca.Registries(ctx, network)
}

// Certificates lists what was issued in a network, newest first; "" stands for
// all networks.
func (a Authority) Certificates(ctx context.Context, network string) ([]pki.Certificate, error) {
	return do(ctx, a, routeCertificates, network, certificates)
}

func certificates(ctx context.Context, ca *pki.CA, network string) ([]pki.Certificate, error) {
	return ca.Certificates(ctx, network)
}
