package pki

import (
	"encoding/asn1"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/neurons-me/netget/identity"
)

const (
	signingLife  = 30 * 24 * time.Hour
	caServerLife = 24 * time.Hour
)

// A profile is one row of the certificate table of docs/protocol.md section 2,
// filled in for one holder. The certificate is made of it and of the key in
// the request, of nothing else.
type profile struct {
	use      identity.Usage
	id       identity.NodeID // zero for the authority's own server
	uris     []string
	dns      []string
	ips      []string
	client   bool // extended key usages
	server   bool
	registry bool
	life     time.Duration
}

// tlsProfile is what a node speaks TLS and signs records with. addresses are
// the URLs at which a registry is to be reached.
func tlsProfile(id identity.NodeID, spec networkSpec, addresses []string) profile {
	p := profile{
		use:    identity.ClientUse,
		id:     id,
		uris:   []string{id.String()},
		dns:    id.DNSNames(),
		client: true,
		life:   spec.leafLife,
	}
	switch id.Type() {
	case identity.ServiceNode:
		p.server = true
	case identity.RegistryNode:
		p.server = true
		p.dns, p.ips = withExtras(p.dns, spec.extras, addresses)
	case identity.ClientNode, identity.OperatorNode:
	}
	return p
}

// signingProfile is what a registry signs heads with.
func signingProfile(id identity.NodeID) profile {
	return profile{
		use:      identity.SigningUse,
		id:       id,
		uris:     []string{id.String()},
		registry: true,
		life:     signingLife,
	}
}

// caServerProfile is the authority's own server towards one network.
func caServerProfile(spec networkSpec, publicURL string) profile {
	p := profile{use: identity.CAServerUse, server: true, life: caServerLife}
	p.dns, p.ips = withExtras([]string{spec.td.CAName()}, spec.extras, []string{publicURL})
	return p
}

// withExtras adds the network's extras to a server's names, and the hosts of
// its URLs where the issuer's constraints permit them.
func withExtras(dns []string, extras Extras, urls []string) (names, ips []string) {
	names = slices.Concat(dns, extras.DNS)
	for _, addr := range extras.addresses() {
		ips = append(ips, addr.String())
	}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		host := identity.FoldName(u.Hostname())
		addr, err := netip.ParseAddr(host)
		switch {
		case err == nil && extras.permitsIP(addr) && !slices.Contains(ips, addr.String()):
			ips = append(ips, addr.String())
		case err != nil && extras.permitsDNS(host) && !slices.Contains(names, host):
			names = append(names, host)
		}
	}
	return names, ips
}

// registryUsage is netgetRegistry, the extended key usage of what signs heads.
func registryUsage() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{{2, 25, 610837421, 1}}
}
