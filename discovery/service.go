package discovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
)

// Limits of what one service may hold, so that every answer can be opened.
const (
	MaxServiceRecords = 20_000
	MaxServiceBytes   = 24 << 20
	MaxLeafBytes      = 2 << 10
)

// The prefixes that keep what is hashed for one purpose from being taken for
// another.
const (
	keyDomain     = "netget/key/v1\x00"
	serviceDomain = "netget/svc/v1\x00"
	recordDomain  = "netget/rec/v1\x00"
	statusDomain  = "netget/stat/v1\x00"
)

// ServiceKey returns a service's key in the map of the network nid.
func ServiceKey(nid identity.Hash, service string) identity.Hash {
	b := make([]byte, 0, len(keyDomain)+len(nid)+len(service))
	b = append(b, keyDomain...)
	b = append(b, nid[:]...)
	return sha256.Sum256(append(b, service...))
}

// A Listed is one record as a registry lists it.
type Listed struct {
	Record *identity.Statement
	Status Status
	Since  int64 // made of the version that set the status
}

// A Service is all listed records of one service in tree order, with the
// hashes that stand for them in the map. It is immutable.
type Service struct {
	name         string
	records      []Listed
	recordLeaves [][32]byte
	statusLeaves [][32]byte
	recordTree   translog.Tree // over recordLeaves
	statusTree   translog.Tree // over statusLeaves
	sum          ServiceSum
}

// A ServiceSum is a service in the list of a network: the hashes over its
// records, from which its value in the map follows.
type ServiceSum struct {
	Service     string
	Count       int64
	RecordsRoot identity.Hash
	StatusRoot  identity.Hash
}

// NewService arranges records, which must all be of that service and of
// different nodes; they are sorted by node.
func NewService(name string, records []Listed) *Service {
	sorted := slices.SortedFunc(slices.Values(records), func(a, b Listed) int {
		return cmp.Compare(a.Record.Node().String(), b.Record.Node().String())
	})
	return newSortedService(name, sorted)
}

func newSortedService(name string, records []Listed) *Service {
	s := &Service{name: name}
	for _, r := range records {
		s.add(r)
	}
	s.summarise()
	return s
}

// An Edit changes one record of a service: it is put in place of what is
// listed of the node, or what is listed is removed.
type Edit struct {
	Node   identity.NodeID
	Listed *Listed // nil: remove
}

// With returns the service after edits, at most one a node, sorted by node. It
// hashes only what the edits bring.
func (s *Service) With(edits []Edit) *Service {
	room := len(s.records) + len(edits)
	next := &Service{
		name: s.name, records: make([]Listed, 0, room),
		recordLeaves: make([][32]byte, 0, room), statusLeaves: make([][32]byte, 0, room),
	}
	from := 0
	for _, e := range edits {
		i, found := s.Index(e.Node)
		next.take(s, from, i)
		if from = i; found {
			from++
		}
		if e.Listed != nil {
			next.add(*e.Listed)
		}
	}
	next.take(s, from, len(s.records))
	next.summarise()
	return next
}

// take appends records of another service with their hashes.
func (s *Service) take(from *Service, start, end int) {
	s.records = append(s.records, from.records[start:end]...)
	s.recordLeaves = append(s.recordLeaves, from.recordLeaves[start:end]...)
	s.statusLeaves = append(s.statusLeaves, from.statusLeaves[start:end]...)
}

func (s *Service) add(l Listed) {
	s.records = append(s.records, l)
	s.recordLeaves = append(s.recordLeaves, recordLeaf(l.Record.Node(), l.Record.RID()))
	s.statusLeaves = append(s.statusLeaves, statusLeaf(l.Record.RID(), l.Status, l.Since))
}

func (s *Service) summarise() {
	s.recordTree, s.statusTree = translog.NewTree(s.recordLeaves), translog.NewTree(s.statusLeaves)
	s.sum = ServiceSum{s.name, int64(len(s.records)), s.recordTree.Root(), s.statusTree.Root()}
}

// Name returns the service's name.
func (s *Service) Name() string { return s.name }

// Records returns the listed records in tree order; the caller must not change
// the slice.
func (s *Service) Records() []Listed { return s.records }

// Sum returns the service's hashes.
func (s *Service) Sum() ServiceSum { return s.sum }

// Value returns the service's value in the map.
func (s *Service) Value() identity.Hash { return s.sum.Value() }

// Index returns where a node stands in the tree order.
func (s *Service) Index(node identity.NodeID) (int, bool) {
	return slices.BinarySearchFunc(s.records, node.String(), func(l Listed, n string) int {
		return cmp.Compare(l.Record.Node().String(), n)
	})
}

// Paths returns the proofs that the record at index is among the service's
// records, and its status among the statuses.
func (s *Service) Paths(index int) (record, status []identity.Hash, err error) {
	r, err := s.recordTree.Path(index)
	if err != nil {
		return nil, nil, err
	}
	st, err := s.statusTree.Path(index)
	return hashes(r), hashes(st), err
}

// Value returns the hash that stands for the service in the map.
func (s ServiceSum) Value() identity.Hash {
	b := make([]byte, 0, len(serviceDomain)+2+len(s.Service)+4+2*sha256.Size)
	b = append(b, serviceDomain...)
	b = appendText(b, s.Service)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Count)) //nolint:gosec // at most MaxServiceRecords
	b = append(b, s.RecordsRoot[:]...)
	return sha256.Sum256(append(b, s.StatusRoot[:]...))
}

func recordLeaf(node identity.NodeID, rid identity.Hash) [32]byte {
	b := appendText([]byte(recordDomain), node.String())
	return translog.LeafHash(append(b, rid[:]...))
}

func statusLeaf(rid identity.Hash, status Status, since int64) [32]byte {
	b := append([]byte(statusDomain), rid[:]...)
	b = append(b, byte(status))
	return translog.LeafHash(binary.BigEndian.AppendUint64(b, uint64(since))) //nolint:gosec // never negative
}

// appendText appends a text behind its length, uint16 big endian.
func appendText(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(text))) //nolint:gosec // names have at most 255 bytes
	return append(b, text...)
}

func hashes(raw [][32]byte) []identity.Hash {
	out := make([]identity.Hash, len(raw))
	for i, h := range raw {
		out[i] = h
	}
	return out
}

func rawHashes(hashes []identity.Hash) [][32]byte {
	out := make([][32]byte, len(hashes))
	for i, h := range hashes {
		out[i] = h
	}
	return out
}
