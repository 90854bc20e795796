package forge

import (
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
)

// A registry signs whatever it is told to: it has the log and the map of an
// honest one, and none of its scruples.
type registry struct {
	ca       *testca.Authority
	id       identity.NodeID
	signing  *identity.Credential
	versions []version
	log      translog.Log
}

// A version is what the registry holds at one version.
type version struct {
	head     discovery.Head // unsigned: exp and iat are zero
	services map[string]*discovery.Service
	tree     prefixmap.Map
	changes  []byte
}

func newRegistry(ca *testca.Authority, label string) *registry {
	id := ca.ID("registry", label)
	return &registry{ca: ca, id: id, signing: ca.IssueSigning(id)}
}

// commit makes the next version of the given services. What lie changes of the
// head goes into the log as well.
func (r *registry) commit(made int64, changes []discovery.Change, lie func(*discovery.Head), services ...*discovery.Service) {
	v := version{services: map[string]*discovery.Service{}, changes: must(discovery.EncodeChanges(changes))}
	nid := identity.NID(r.ca.Root)
	v.head = discovery.Head{
		Changes: discovery.ChangesHash(v.changes), CRLs: must(r.ca.Bundle().CRLHash()), Made: made, Network: network, NID: nid,
		Registry: r.id, V: 1, Version: int64(len(r.versions)) + 1,
	}
	for _, s := range services {
		v.services[s.Name()] = s
		v.tree = v.tree.Put(discovery.ServiceKey(nid, s.Name()), s.Value())
		v.head.Services++
		v.head.Records += int64(len(s.Records()))
	}
	v.head.Root = v.tree.Root()
	if lie != nil {
		lie(&v.head)
	}
	r.log, _ = r.log.Append(must(v.head.LogLeaf()))
	v.head.Log = must(r.log.Root(r.log.Size()))
	r.versions = append(r.versions, v)
}

func (r *registry) at(n int64) version { return r.versions[n-1] }

func (r *registry) mark(n int64) identity.RegistryMark { return r.at(n).head.Mark() }

// seal signs version n at iat; from is what the caller knows, 0 for nothing.
func (r *registry) seal(n, from, iat int64, lie func(*discovery.Head)) discovery.Seal {
	h := r.at(n).head
	h.IAT, h.Exp = iat, iat+30
	if lie != nil {
		lie(&h)
	}
	s := discovery.Seal{
		Head:      must(identity.Seal(identity.HeadTyp, h, r.signing)),
		Registry:  [][]byte{r.signing.Leaf().Raw, r.signing.Issuer().Raw},
		Inclusion: texts(must(r.log.Inclusion(n, n-1))),
	}
	if from >= 1 && from < n {
		s.Consistency = &discovery.Consistency{From: from, Proof: r.consistency(from, n)}
	}
	return s
}

func (r *registry) consistency(from, to int64) []identity.Hash {
	return texts(must(r.log.Consistency(from, to)))
}

func (r *registry) proof(n int64, service string) prefixmap.Proof {
	return r.at(n).tree.Prove(discovery.ServiceKey(identity.NID(r.ca.Root), service))
}
