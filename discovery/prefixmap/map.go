// Package prefixmap is a sparse Merkle map with proofs of presence or absence.
//
// The map is a binary trie over the bits of its keys, most significant first:
//
//   - an empty subtree hashes to 32 zero bytes,
//   - a subtree with exactly one leaf is that leaf, SHA-256(0x02 ‖ key ‖ value),
//   - any other subtree is an inner node, SHA-256(0x03 ‖ left ‖ right), even
//     if one half of it is empty.
//
// The root therefore depends on the contents alone, never on the order in
// which they came. Keys are meant to be hashes: the depth of the trie is that
// of the longest prefix which two keys share. Source: docs/protocol.md,
// section 5, "Map".
package prefixmap

import (
	"bytes"
	"slices"
)

// A Map holds 32-byte values under 32-byte keys. It is immutable: changing it
// yields another Map that shares every untouched part. A Map may be read by
// any number of goroutines. The zero Map is empty.
type Map struct{ root *node }

// A Change sets one key of a [Map] to Value, or removes the key if Delete is true.
type Change struct {
	Key, Value [32]byte
	Delete     bool
}

// Len returns the number of keys.
func (m Map) Len() int { return m.root.len() }

// Root returns the root hash, which is known already; 32 zero bytes for the
// empty map.
func (m Map) Root() [32]byte { return m.root.sum() }

// Get returns the value of key, or false if the map does not have it.
func (m Map) Get(key [32]byte) (value [32]byte, ok bool) {
	n := m.root
	for depth := 0; n.isInner(); depth++ {
		n, _ = n.step(key, depth)
	}
	if n == nil || n.leaf.key != key {
		return [32]byte{}, false
	}
	return n.leaf.value, true
}

// Put returns the map with key set to value.
func (m Map) Put(key, value [32]byte) Map {
	return Map{m.root.update([]Change{{Key: key, Value: value}}, 0)}
}

// Delete returns the map without key.
func (m Map) Delete(key [32]byte) Map {
	return Map{m.root.update([]Change{{Key: key, Delete: true}}, 0)}
}

// Apply returns the map with all changes made, the last one of each key
// counting. Every inner node above a changed leaf is hashed once, so one Apply
// is cheaper than the same changes one by one. The slice is left as it is.
func (m Map) Apply(changes []Change) Map {
	return Map{m.root.update(lastOfEach(changes), 0)}
}

// lastOfEach returns the changes sorted by key, the last one of each key only.
func lastOfEach(changes []Change) []Change {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b Change) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	kept := sorted[:0]
	for i, c := range sorted {
		if i+1 == len(sorted) || sorted[i+1].Key != c.Key {
			kept = append(kept, c)
		}
	}
	return kept
}
