package translog_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/neurons-me/netget/discovery/translog"
)

// This file is the reference: RFC 6962 for trees and RFC 9162 for verifiers,
// written down as the texts say and sharing no code with the package.

type hash = [32]byte

// naiveRoot is MTH of RFC 6962, section 2.1, over leaf hashes.
func naiveRoot(leaves []hash) hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return naiveNode(naiveRoot(leaves[:k]), naiveRoot(leaves[k:]))
}

// naivePath is PATH of RFC 6962, section 2.1.1.
func naivePath(m int, leaves []hash) []hash {
	if len(leaves) == 1 {
		return []hash{}
	}
	k := split(len(leaves))
	if m < k {
		return append(naivePath(m, leaves[:k]), naiveRoot(leaves[k:]))
	}
	return append(naivePath(m-k, leaves[k:]), naiveRoot(leaves[:k]))
}

// naiveSubproof is SUBPROOF of RFC 6962, section 2.1.2.
func naiveSubproof(m int, leaves []hash, whole bool) []hash {
	if m == len(leaves) {
		if whole {
			return []hash{}
		}
		return []hash{naiveRoot(leaves)}
	}
	k := split(len(leaves))
	if m <= k {
		return append(naiveSubproof(m, leaves[:k], whole), naiveRoot(leaves[k:]))
	}
	return append(naiveSubproof(m-k, leaves[k:], false), naiveRoot(leaves[:k]))
}

// naiveInclusion is the verifier of RFC 9162, section 2.1.3.2.
func naiveInclusion(proof []hash, size int64, root hash, index int64, leaf hash) bool {
	if index < 0 || index >= size {
		return false
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range proof {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = naiveNode(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = naiveNode(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// naiveConsistency is the verifier of RFC 9162, section 2.1.4.2.
func naiveConsistency(proof []hash, newSize int64, newRoot hash, oldSize int64, oldRoot hash) bool {
	if oldSize < 1 || oldSize > newSize {
		return false
	}
	if oldSize == newSize {
		return len(proof) == 0 && oldRoot == newRoot
	}
	if oldSize&(oldSize-1) == 0 {
		proof = slices.Concat([]hash{oldRoot}, proof)
	}
	if len(proof) == 0 {
		return false
	}
	fn, sn := oldSize-1, newSize-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := proof[0], proof[0]
	for _, c := range proof[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = naiveNode(c, fr), naiveNode(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = naiveNode(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && fr == oldRoot && sr == newRoot
}

func naiveNode(left, right hash) hash {
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// split returns the greatest power of two below n > 1.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// leafData returns the data of the nth leaf of the logs in these tests.
func leafData(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// numbered returns n leaf hashes, a log of the same leaves and all its rows.
func numbered(n int) ([]hash, translog.Log, []translog.Row) {
	var leaves []hash
	var log translog.Log
	var rows []translog.Row
	for i := range n {
		var added []translog.Row
		log, added = log.Append(leafData(i))
		rows = append(rows, added...)
		leaves = append(leaves, sha256.Sum256(slices.Concat([]byte{0}, leafData(i))))
	}
	return leaves, log, rows
}
