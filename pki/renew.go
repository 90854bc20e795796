package pki

import (
	"context"
	"time"

	"github.com/neurons-me/netget/identity"
)

// renew gives the holder of a certificate of the network another one for a new
// key. The certificate on the connection must be one that this network's
// issuer signed and that the inventory knows; nothing else speaks for it.
func (ca *CA) renew(ctx context.Context, n *network, peer *identity.Certificate, csr, signingCSR []byte) (Enrolment, error) {
	if identity.SPKIHash(peer.Issuer()) != n.node.hash {
		return Enrolment{}, identity.Refuse(identity.Denied, "the certificate is not by the issuer of %s", n.name())
	}
	over, err := ca.checkGrace(peer)
	if err != nil {
		return Enrolment{}, err
	}
	addresses, err := ca.addressesOf(ctx, n, peer.ID())
	if err != nil {
		return Enrolment{}, err
	}
	orders, err := ca.orders(n, tlsProfile(peer.ID(), n.spec, addresses), csr, signingCSR)
	if err != nil {
		return Enrolment{}, err
	}
	old := renewal{issuer: issuerKey{n.name(), n.node.hash}, serial: serialText(peer.Leaf().SerialNumber), over: over}
	return ca.admit(ctx, n, reservation{renewal: &old}, orders)
}

// checkGrace reports whether a certificate is over, and refuses one that is
// over for longer than the grace, or not valid yet.
func (ca *CA) checkGrace(peer *identity.Certificate) (over bool, err error) {
	now := ca.cfg.Now()
	timeErr := peer.CheckTime(now)
	if timeErr == nil {
		return false, nil
	}
	end := peer.Leaf().NotAfter
	if now.Before(end) || peer.Issuer().NotAfter.Before(now) || now.After(end.Add(ca.cfg.RenewGrace)) {
		return false, identity.Refuse(identity.BadCert, "the certificate can no longer be renewed, enrol again: %w", timeErr)
	}
	return true, nil
}

// addressesOf returns the URLs of a registry, none for other nodes.
func (ca *CA) addressesOf(ctx context.Context, n *network, id identity.NodeID) ([]string, error) {
	if id.Type() != identity.RegistryNode {
		return nil, nil
	}
	all, err := ca.store.addresses(ctx, n.name())
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, a := range all {
		if a.node == id.Label() {
			urls = append(urls, a.url)
		}
	}
	return urls, nil
}

// markLife is for how long a registry's mark is handed to others.
const markLife = 5 * time.Minute

// entries returns the registries of a network with their addresses and marks;
// a registry is one that has an address.
func (ca *CA) entries(ctx context.Context, n *network) ([]identity.RegistryEntry, error) {
	addresses, err := ca.store.addresses(ctx, n.name())
	if err != nil {
		return nil, err
	}
	marks, err := ca.store.marks(ctx, n.name())
	if err != nil {
		return nil, err
	}
	entries := []identity.RegistryEntry{}
	for _, a := range addresses { // sorted by registry
		id, err := identity.NewNodeID(n.spec.td, registryService, a.node)
		if err != nil {
			return nil, err
		}
		if last := len(entries) - 1; last >= 0 && entries[last].Registry == id {
			entries[last].Addresses = append(entries[last].Addresses, a.url)
			continue
		}
		entry := identity.RegistryEntry{Registry: id, Addresses: []string{a.url}}
		if m, ok := marks[a.node]; ok && ca.cfg.Now().Sub(m.seenAt) <= markLife {
			entry.Mark = &m.mark
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

const registryService = "registry"
