package catalog

import (
	"crypto/x509"
	"math/bits"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
)

// versions verifies the leaves and change lists that a store hands over, one by
// one, and keeps of each what the log will be compared with.
type versions struct {
	id      identity.NodeID
	nid     identity.Hash
	network string

	kept []keptVersion
	head discovery.Head // of the last
	last Version
}

type keptVersion struct {
	version int64
	hash    [32]byte // of the leaf
}

// add takes one version: its leaf must be ours and fit its change list.
func (v *versions) add(row Version) error {
	what := versionName(row.Version)
	head, err := discovery.ParseLogLeaf(row.Leaf)
	if err != nil {
		return corrupt(what, "reading the leaf: %w", err)
	}
	if head.Version != row.Version || head.Made != row.Made || head.Registry != v.id || head.NID != v.nid || head.Network != v.network {
		return corrupt(what, "the leaf is that of version %d of %s", head.Version, head.Registry)
	}
	if n := len(v.kept); n > 0 && (row.Version != v.kept[n-1].version+1 || head.Made < v.head.Made) {
		return corrupt(what, "it follows version %d", v.kept[n-1].version)
	}
	if discovery.ChangesHash(row.Changes) != head.Changes {
		return corrupt(what, "the change list is not the one of the leaf")
	}
	v.kept = append(v.kept, keptVersion{row.Version, translog.LeafHash(row.Leaf)})
	v.head, v.last = head, row
	return nil
}

// newest restores the log, compares every kept version with it, and returns the
// state of the last one, still without services and map.
func (v *versions) newest(l Loaded) (*state, error) {
	if l.Version < 1 || v.last.Version != l.Version {
		return nil, corrupt(versionName(l.Version), "the newest version is missing")
	}
	log, err := translog.Restore(l.Version, l.LogRows)
	if err != nil {
		return nil, corrupt("the log", "%w", err)
	}
	for _, k := range v.kept {
		if l.LogRows[leafPosition(k.version-1)].Hash != k.hash {
			return nil, corrupt(versionName(k.version), "the leaf is not the one in the log")
		}
	}
	s := &state{head: v.head, leaf: v.last.Leaf, changes: v.last.Changes, log: log}
	root, err := log.Root(l.Version)
	s.head.Log = root
	return s, err
}

// leafPosition returns where a log keeps the hash of leaf n: behind the n leaves
// before it and the n/2 + n/4 + … subtrees that those complete.
func leafPosition(n int64) int64 { return 2*n - int64(bits.OnesCount64(uint64(n))) } //nolint:gosec // never negative

func versionName(v int64) string { return "version " + strconv.FormatInt(v, 10) }

// verifyObjects verifies statements in the manner of admission, but without the
// clock: what has ended since is verified all the same.
func verifyObjects(bundle *identity.Bundle, objects []Object) (map[identity.Hash]*identity.Statement, error) {
	issuers := issuerCache{parsed: map[string]*x509.Certificate{}}
	var mu sync.Mutex
	statements := make(map[identity.Hash]*identity.Statement, len(objects))
	err := inParallel(objects, func(o Object) error {
		s, err := verifyObject(bundle, o, &issuers)
		if err != nil {
			return corrupt("the statement "+o.RID.String(), "%w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		statements[o.RID] = s
		return nil
	})
	return statements, err
}

func verifyObject(bundle *identity.Bundle, o Object, issuers *issuerCache) (*identity.Statement, error) {
	env, err := identity.ParseEnvelope(o.Token, identity.RecordTyp, identity.TombstoneTyp)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(o.Leaf)
	if err != nil {
		return nil, err
	}
	issuer, err := issuers.parse(o.Issuer)
	if err != nil {
		return nil, err
	}
	cert, err := bundle.Verify(leaf, issuer, identity.ClientUse)
	if err != nil {
		return nil, err
	}
	s, err := bundle.OpenStatement(env, cert)
	if err != nil {
		return nil, err
	}
	if s.RID() != o.RID || s.Node() != o.Node {
		return nil, identity.Refuse(identity.Incomplete, "stored under another name")
	}
	return s, nil
}

// issuerCache parses each issuer once: all nodes share a few.
type issuerCache struct {
	mu     sync.Mutex
	parsed map[string]*x509.Certificate // by DER; guarded by mu
}

func (c *issuerCache) parse(der []byte) (*x509.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.parsed[string(der)]; known != nil {
		return known, nil
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		c.parsed[string(der)] = cert
	}
	return cert, err
}

// inParallel calls do for every item on all processors and returns the first
// error.
func inParallel[T any](items []T, do func(T) error) error {
	const chunk = 64
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < len(items); start += chunk {
		part := items[start:min(start+chunk, len(items))]
		group.Go(func() error {
			for _, item := range part {
				if err := do(item); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
