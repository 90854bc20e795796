package catalog

import (
	"cmp"
	"slices"
	"sync"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/healthwatch"
	"github.com/neurons-me/netget/identity"
)

// A Snapshot is one version of the network under a signed head. It is immutable
// but for the heartbeats, of which every answer gives the newest, and may be
// used by any number of goroutines for as long as they like.
type Snapshot struct {
	head     discovery.Head // as signed
	token    string
	registry [][]byte // DER: signing leaf, registry issuer
	state    *state
	beats    *beats
	health   *healthwatch.Watch // nil: nobody is judged
}

// Head returns the head as it was signed.
func (s *Snapshot) Head() discovery.Head { return s.head }

// HeadToken returns the signed head.
func (s *Snapshot) HeadToken() string { return s.token }

// Log returns the log up to this version.
func (s *Snapshot) Log() translog.Log { return s.state.log }

// Service returns the listed records of a service, nil if there are none. Two
// snapshots return the same pointer if the service did not change between them.
func (s *Snapshot) Service(name string) *discovery.Service { return s.state.services.get(name).service }

// listing returns the listed record of a node.
func (s *Snapshot) listing(node identity.NodeID) (l discovery.Listed, ok bool) {
	service := s.Service(node.Service())
	if service == nil {
		return l, false
	}
	i, found := service.Index(node)
	if !found {
		return l, false
	}
	return service.Records()[i], true
}

// Services returns all services, sorted. The caller must not change the slice.
func (s *Snapshot) Services() []discovery.ServiceRow { return s.state.rows() }

// Proof returns the proof of what the map holds for a service.
func (s *Snapshot) Proof(service string) prefixmap.Proof {
	return s.state.tree.Prove(discovery.ServiceKey(s.head.NID, service))
}

// Consistency returns the proof that the log at version to begins with the log
// at version from, 1 ≤ from < to: else [identity.Malformed]; a version above the
// snapshot's is [identity.Unavailable].
func (s *Snapshot) Consistency(from, to int64) ([]identity.Hash, error) {
	if from < 1 || from >= to {
		return nil, identity.Refuse(identity.Malformed, "a proof from version %d to %d", from, to)
	}
	if to > s.head.Version {
		return nil, identity.Refuse(identity.Unavailable, "version %d is above ours, %d", to, s.head.Version)
	}
	proof, err := s.state.log.Consistency(from, to)
	return hashes(proof), err
}

// Seal returns head, signer and place in the log, with the consistency that a
// caller needs who has seen version from; 0: none. A from above the version is
// [identity.Unavailable].
func (s *Snapshot) Seal(from int64) (discovery.Seal, error) {
	inclusion, err := s.inclusion(s.head.Version)
	if err != nil {
		return discovery.Seal{}, err
	}
	seal := discovery.Seal{Head: s.token, Registry: s.registry, Inclusion: inclusion}
	if from == 0 || from == s.head.Version {
		return seal, nil
	}
	if from > s.head.Version {
		return discovery.Seal{}, identity.Refuse(identity.Unavailable, "version %d is above ours, %d", from, s.head.Version)
	}
	proof, err := s.Consistency(from, s.head.Version)
	if err != nil {
		return discovery.Seal{}, err
	}
	seal.Consistency = &discovery.Consistency{From: from, Proof: proof}
	return seal, nil
}

// inclusion proves that the log holds the leaf of a version.
func (s *Snapshot) inclusion(version int64) ([]identity.Hash, error) {
	proof, err := s.state.log.Inclusion(s.head.Version, version-1)
	return hashes(proof), err
}

// A state is one version of the network without its signature. It is immutable.
type state struct {
	head     discovery.Head // IAT and Exp are zero
	leaf     []byte
	changes  []byte
	log      translog.Log
	tree     prefixmap.Map
	services directory

	sorted sync.Once
	list   []discovery.ServiceRow // made by sorted
}

func (s *state) rows() []discovery.ServiceRow {
	s.sorted.Do(func() {
		s.list = make([]discovery.ServiceRow, 0, s.head.Services)
		for sh := range s.services.all() {
			s.list = append(s.list, discovery.ServiceRow(sh.service.Sum()))
		}
		slices.SortFunc(s.list, func(a, b discovery.ServiceRow) int { return cmp.Compare(a.Service, b.Service) })
	})
	return s.list
}

func hashes(raw [][32]byte) []identity.Hash {
	out := make([]identity.Hash, len(raw))
	for i, h := range raw {
		out[i] = h
	}
	return out
}
