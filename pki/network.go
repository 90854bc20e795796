package pki

import (
	"crypto/tls"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// A network is one network of an open authority, ready to issue. It shares
// nothing with the others but the process and the inventory's file.
type network struct {
	spec     networkSpec
	root     *x509.Certificate
	bundle   *identity.Bundle
	opener   *discovery.Opener // of the heads that registries report
	tokens   *tokenKey
	node     *issuer
	registry *issuer // nil when its key is kept elsewhere

	renewing sync.Mutex // held while the server's certificate is made
	server   atomic.Pointer[tls.Certificate]

	encoding chan struct{} // holds one while the bundle's reply is made
	encoded  atomic.Pointer[encodedBundle]
}

func newNetwork(keys networkKeys, st *store, url string, now func() time.Time) (*network, error) {
	n := &network{spec: keys.spec, root: keys.root, encoding: make(chan struct{}, 1)}
	var err error
	n.bundle, err = identity.NewBundle(identity.BundleDocument{
		Network:   keys.spec.td.Network(),
		Domain:    keys.spec.td.Domain(),
		NID:       identity.NID(keys.root),
		Roots:     [][]byte{keys.root.Raw},
		Handovers: [][]byte{},
		Issuers:   [][]byte{keys.nodeIssuer.Raw, keys.registryIssuer.Raw},
		CRLs:      [][]byte{},
	})
	if err != nil {
		return nil, err
	}
	n.opener = discovery.NewOpener(n.bundle)
	if n.tokens, err = newTokenKey(keys.spec, url, keys.root, keys.tokenKey, now); err != nil {
		return nil, err
	}
	db := func(cert *x509.Certificate) authDB {
		return authDB{store: st, issuer: issuerKey{keys.spec.td.Network(), identity.SPKIHash(cert)}, now: now}
	}
	if n.node, err = newIssuer("node", keys.root, keys.nodeIssuer, keys.nodeKey, n.tokens, db(keys.nodeIssuer)); err != nil {
		return nil, err
	}
	if keys.registryKey == nil {
		return n, nil
	}
	n.registry, err = newIssuer("registry", keys.root, keys.registryIssuer, keys.registryKey, n.tokens, db(keys.registryIssuer))
	return n, err
}

func (n *network) name() string { return n.spec.td.Network() }

func (n *network) describe() Network { return describeNetwork(n.spec.td, n.root) }
