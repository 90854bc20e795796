package pki

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/neurons-me/netget/identity"
)

// A TokenRequest says what a join token shall grant.
type TokenRequest struct {
	Network   string        // "" for the only one
	Service   string        // or "registry", "client", "operator"
	Node      string        // "": <service>-<8 hex>
	TTL       time.Duration // at most 24 h; 0: 10 min
	Addresses []string      // of a registry: https://HOST:PORT
	Request   []byte        // the one CSR, in DER, that the token is bound to; nil for any
}

// A Token is a join token with what it grants.
type Token struct {
	Token      string    `json:"token"`
	ID         string    `json:"id"`
	Service    string    `json:"service"`
	Node       string    `json:"node"`
	Network    string    `json:"network"`
	Type       string    `json:"type"` // service, registry, client or operator
	CA         string    `json:"ca"`
	RootSHA256 string    `json:"root_sha256"`
	JTI        string    `json:"jti"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// LogValue leaves the token itself out.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("jti", t.JTI))
}

// Token makes a join token.
func (ca *CA) Token(ctx context.Context, r TokenRequest) (Token, error) {
	n, err := ca.network(r.Network)
	if err != nil {
		return Token{}, err
	}
	g, err := newGrant(n, r)
	if err != nil {
		return Token{}, err
	}
	if r.TTL == 0 {
		r.TTL = defaultTokenLife
	}
	if r.TTL < time.Second || r.TTL > maxTokenLife {
		return Token{}, identity.Refuse(identity.Limits, "a token lives from 1 s to %s, not %s", maxTokenLife, r.TTL)
	}
	text, c, err := n.tokens.mint(g, r.TTL)
	if err != nil {
		return Token{}, err
	}
	ca.audit.minted(ctx, n, g.id, c.ID)
	return Token{
		Token: text, ID: g.id.String(), Service: g.id.Service(), Node: g.id.Label(),
		Network: n.name(), Type: g.id.Type().String(), CA: ca.cfg.URL,
		RootSHA256: c.Root, JTI: c.ID, ExpiresAt: moment(c.Expires),
	}, nil
}

func newGrant(n *network, r TokenRequest) (grant, error) {
	if r.Node == "" {
		var suffix [4]byte
		_, _ = rand.Read(suffix[:]) // never fails
		r.Node = r.Service + "-" + hex.EncodeToString(suffix[:])
	}
	id, err := identity.NewNodeID(n.spec.td, r.Service, r.Node)
	if err != nil {
		return grant{}, err
	}
	g := grant{id: id, addresses: r.Addresses}
	if r.Request != nil {
		g.request = requestHash(r.Request)
	}
	return g, checkAddresses(id, r.Addresses)
}

// Networks describes all networks, by name.
func (ca *CA) Networks() []Network {
	list := []Network{}
	for _, n := range ca.all() {
		list = append(list, n.describe())
	}
	return list
}

// Network describes one network; "" stands for the only one. An unknown one is
// [identity.NotFound].
func (ca *CA) Network(name string) (Network, error) {
	n, err := ca.network(name)
	if err != nil {
		return Network{}, err
	}
	return n.describe(), nil
}

// A Registry is one registry of a network with its URLs.
type Registry struct {
	Registry  string   `json:"registry"` // identity
	Network   string   `json:"network"`
	Addresses []string `json:"addresses"`
}

// Registries lists the registries of a network; "" stands for all networks.
func (ca *CA) Registries(ctx context.Context, networkName string) ([]Registry, error) {
	networks, err := ca.chosen(networkName)
	if err != nil {
		return nil, err
	}
	list := []Registry{}
	for _, n := range networks {
		entries, err := ca.entries(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			list = append(list, Registry{e.Registry.String(), n.name(), e.Addresses})
		}
	}
	return list, nil
}

// AddRegistry makes url, https://HOST:PORT, an address of a registry. One that
// belonged to another registry changes hands.
func (ca *CA) AddRegistry(ctx context.Context, networkName, node, url string) (Registry, error) {
	n, err := ca.network(networkName)
	if err != nil {
		return Registry{}, err
	}
	id, err := identity.NewNodeID(n.spec.td, registryService, node)
	if err != nil {
		return Registry{}, err
	}
	if err := checkURL(url); err != nil {
		return Registry{}, err
	}
	if err := ca.store.addRegistry(ctx, n.name(), node, url); err != nil {
		return Registry{}, err
	}
	ca.audit.event(ctx, n, "registry address added: "+url+" of "+id.String())
	urls, err := ca.addressesOf(ctx, n, id)
	return Registry{id.String(), n.name(), urls}, err
}

// RemoveRegistry takes an address away; [identity.NotFound] if nobody has it.
func (ca *CA) RemoveRegistry(ctx context.Context, networkName, url string) error {
	n, err := ca.network(networkName)
	if err != nil {
		return err
	}
	if err := ca.store.removeRegistry(ctx, n.name(), url); err != nil {
		return err
	}
	ca.audit.event(ctx, n, "registry address removed: "+url)
	return nil
}

// A Certificate is one certificate of the inventory.
type Certificate struct {
	Serial        string     `json:"serial"` // hexadecimal
	Network       string     `json:"network"`
	ID            string     `json:"id"` // "" for the authority's own server
	Service       string     `json:"service"`
	Node          string     `json:"node"`
	Type          string     `json:"type"`   // service, registry, client, operator; "" for the server
	Issuer        string     `json:"issuer"` // node or registry
	Use           string     `json:"use"`    // tls, signing or ca-server
	NotBefore     time.Time  `json:"not_before"`
	NotAfter      time.Time  `json:"not_after"`
	SHA256        string     `json:"sha256"` // hexadecimal, of the DER
	RevokedAt     *time.Time `json:"revoked_at"`
	RevokedReason string     `json:"revoked_reason"`
}

// Certificates lists what was issued in a network, newest first; "" stands for
// all networks.
func (ca *CA) Certificates(ctx context.Context, networkName string) ([]Certificate, error) {
	if _, err := ca.chosen(networkName); err != nil {
		return nil, err
	}
	rows, err := ca.store.list(ctx, networkName)
	if err != nil {
		return nil, err
	}
	list := []Certificate{}
	for _, row := range rows {
		list = append(list, ca.describe(row))
	}
	return list, nil
}

func (ca *CA) describe(row certificateRow) Certificate {
	c := Certificate{
		Serial: row.serial, Network: row.issuer.network, Service: row.service, Node: row.node,
		Issuer: row.issuerName, Use: row.usage, NotBefore: row.notBefore, NotAfter: row.notAfter,
		SHA256: hex.EncodeToString(row.sha256), RevokedAt: row.revokedAt, RevokedReason: row.revokedReason,
	}
	if row.usage == usageCAServer {
		return c
	}
	td, err := identity.NewTrustDomain(row.issuer.network, ca.settings.Domain)
	if err != nil {
		return c
	}
	if id, err := identity.NewNodeID(td, row.service, row.node); err == nil {
		c.ID, c.Type = id.String(), id.Type().String()
	}
	return c
}

// chosen returns the network of a name, or all of them.
func (ca *CA) chosen(name string) ([]*network, error) {
	if name == "" {
		return ca.all(), nil
	}
	n, err := ca.network(name)
	return []*network{n}, err
}
