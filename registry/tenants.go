package registry

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/neurons-me/netget/identity"
)

// tenants are the networks of a server by the names that choose them.
type tenants []*network

// newTenants refuses networks that could not be told apart.
func newTenants(networks []Network) (tenants, error) {
	var all tenants
	for _, cfg := range networks {
		n := newNetwork(cfg)
		for _, other := range all {
			if within(n.domain, other.domain) || within(other.domain, n.domain) {
				return nil, fmt.Errorf("the networks %s and %s cannot be served by one process: one name lies under the other", other.domain, n.domain)
			}
		}
		all = append(all, n)
	}
	return all, nil
}

// byName returns the network that a server name, in lower case, chooses: that
// whose trust domain it is or lies in, else the only one that has it as an
// extra name; without a name the only network. Nil if it chooses none.
func (ts tenants) byName(name string) *network {
	if name == "" && len(ts) == 1 {
		return ts[0]
	}
	for _, n := range ts {
		if within(name, n.domain) {
			return n
		}
	}
	var found *network
	for _, n := range ts {
		if !slices.Contains(n.extras, name) {
			continue
		}
		if found != nil {
			return nil
		}
		found = n
	}
	return found
}

// misdirects reports whether a Host header names another network than n. A
// name that means nothing here, such as a load balancer's, does not.
func (ts tenants) misdirects(host string, n *network) bool {
	u, err := url.Parse("//" + host)
	if err != nil {
		return true
	}
	name := strings.TrimSuffix(identity.FoldName(u.Hostname()), ".")
	if _, err := netip.ParseAddr(name); err == nil || name == "" {
		return false
	}
	other := ts.byName(name)
	return other != nil && other != n
}

// within reports whether name is domain or lies in it.
func within(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// extrasOf returns the names outside its trust domain that a network's node
// issuer permits.
func extrasOf(i *identity.Identity) []string {
	td := i.Bundle.TrustDomain().String()
	var extras []string
	for _, name := range i.Credential.Issuer().PermittedDNSDomains {
		if name = identity.FoldName(name); !within(name, td) {
			extras = append(extras, name)
		}
	}
	return extras
}
