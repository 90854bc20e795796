package translog

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// LeafHash returns SHA-256(0x00 ‖ data), the hash of a leaf in logs or trees.
func LeafHash(data []byte) [32]byte { return tlog.RecordHash(data) }

// A Tree is a tree over leaf hashes, see [LeafHash], with all that stands between
// them and the root, so that a path costs no hashing. It is immutable. The zero
// Tree is empty. Source: RFC 6962, section 2.1.
type Tree struct{ levels [][][32]byte } // the first are the leaves, the last the root alone

// NewTree returns the tree over leaves, which it keeps and never changes; nor must
// the caller.
func NewTree(leafHashes [][32]byte) Tree {
	if len(leafHashes) == 0 {
		return Tree{}
	}
	t := Tree{[][][32]byte{leafHashes}}
	room := make([][32]byte, 0, sizeAbove(len(leafHashes)))
	for level := leafHashes; len(level) > 1; {
		level = above(room, level)
		room = level[len(level):]
		t.levels = append(t.levels, level)
	}
	return t
}

// sizeAbove returns how many hashes stand above so many leaves.
func sizeAbove(leaves int) (hashes int) {
	for level := leaves; level > 1; {
		level = (level + 1) / 2
		hashes += level
	}
	return hashes
}

// Root returns the tree's root. The empty tree has SHA-256 of nothing.
func (t Tree) Root() [32]byte {
	if len(t.levels) == 0 {
		return sha256.Sum256(nil)
	}
	return t.levels[len(t.levels)-1][0]
}

// Path returns the proof that the tree has its leaf at index, counted from 0.
// [VerifyInclusion] judges it. Source: RFC 6962, section 2.1.1.
func (t Tree) Path(index int) ([][32]byte, error) {
	if len(t.levels) == 0 || index < 0 || index >= len(t.levels[0]) {
		return nil, fmt.Errorf("there is no leaf %d in the tree", index)
	}
	path := make([][32]byte, 0, len(t.levels)-1)
	for _, level := range t.levels[:len(t.levels)-1] {
		if other := index ^ 1; other < len(level) {
			path = append(path, level[other])
		}
		index /= 2
	}
	return path, nil
}

// above appends to room the level of the tree above another: neighbours are
// hashed in pairs, an odd last one rises unchanged. That is the shape of
// RFC 6962, whose left halves are always the greatest power of two.
func above(room, level [][32]byte) [][32]byte {
	pairs := len(level) / 2
	for i := range pairs {
		room = append(room, tlog.NodeHash(level[2*i], level[2*i+1]))
	}
	if len(level)%2 == 1 {
		room = append(room, level[len(level)-1])
	}
	return room
}
