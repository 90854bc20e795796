package translog

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// LeafHash returns SHA-256(0x00 ‖ data), the hash of a leaf in logs or trees.
func LeafHash(data []byte) [32]byte { return tlog.RecordHash(data) }

// TreeRoot returns the root of the tree over leaf hashes, see [LeafHash]. The
// empty tree has SHA-256 of nothing. The slice is left as it is. Source:
// RFC 6962, section 2.1.
func TreeRoot(leafHashes [][32]byte) [32]byte {
	if len(leafHashes) == 0 {
		return sha256.Sum256(nil)
	}
	level := slices.Clone(leafHashes)
	for len(level) > 1 {
		level = above(level)
	}
	return level[0]
}

// Path returns the proof that the tree over leafHashes has its leaf at index,
// counted from 0. [VerifyInclusion] judges it. Source: RFC 6962, section 2.1.1.
func Path(leafHashes [][32]byte, index int) ([][32]byte, error) {
	if index < 0 || index >= len(leafHashes) {
		return nil, fmt.Errorf("path of leaf %d in a tree of %d", index, len(leafHashes))
	}
	path := [][32]byte{}
	level := slices.Clone(leafHashes)
	for ; len(level) > 1; index /= 2 {
		if other := index ^ 1; other < len(level) {
			path = append(path, level[other])
		}
		level = above(level)
	}
	return path, nil
}

// above overwrites a level of the tree with the one above it: neighbours are
// hashed in pairs, an odd last one rises unchanged. That is the shape of
// RFC 6962, whose left halves are always the greatest power of two.
func above(level [][32]byte) [][32]byte {
	pairs := len(level) / 2
	for i := range pairs {
		level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
	}
	if len(level)%2 == 1 {
		level[pairs] = level[len(level)-1]
		return level[:pairs+1]
	}
	return level[:pairs]
}
