// Package translog keeps the append-only Merkle log of RFC 6962.
//
// A registry has one leaf in its log for each version; its heads sign the root
// of the log, so nobody can be shown a past that was rewritten. Small trees
// that are computed at once use the same hashes, see [TreeRoot]. Sources:
// RFC 6962, section 2.1; docs/protocol.md, section 5.
package translog

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// chunkHashes is the number of hashes in a chunk. An append copies half a
// chunk on average, 4 KiB.
const chunkHashes = 256

// A Log is a log of some size with all its proofs. It is immutable: appending
// yields another Log that shares the older hashes, so a Log is its own
// snapshot, may be read by any number of goroutines, or be dropped when what
// was appended could not be stored. It needs about 64 bytes a leaf. The zero
// Log is empty.
type Log struct {
	size int64
	full [][][32]byte // chunks of chunkHashes hashes each, by position
	tail [][32]byte   // the hashes after those, fewer than chunkHashes
}

// A Row is one hash of a log as a store keeps it, under its position in the
// order of [tlog.StoredHashIndex].
type Row struct {
	Position int64
	Hash     [32]byte
}

// Size returns the number of leaves.
func (l Log) Size() int64 { return l.size }

// Append returns the log with one more leaf, along with the rows that this
// adds, in order of position: the hash of the leaf first, then those of the
// subtrees that it completes. A store which keeps all rows ever added can
// [Restore] the log.
func (l Log) Append(leaf []byte) (Log, []Row) {
	hashes := l.completed(LeafHash(leaf))
	rows := make([]Row, len(hashes))
	for i, h := range hashes {
		rows[i] = Row{Position: l.stored() + int64(i), Hash: h}
	}
	return l.with(hashes), rows
}

// Root returns the root that the log had when it had size leaves. The root of
// size 0 is SHA-256 of nothing.
func (l Log) Root(size int64) ([32]byte, error) {
	if size < 0 || size > l.size {
		return [32]byte{}, fmt.Errorf("root of size %d in a log of %d", size, l.size)
	}
	return tlog.TreeHash(size, tlog.HashReaderFunc(l.read))
}

// Inclusion returns the proof that the log of size leaves has the leaf at
// index, counted from 0. See [VerifyInclusion].
func (l Log) Inclusion(size, index int64) ([][32]byte, error) {
	if size > l.size || index < 0 || index >= size {
		return nil, fmt.Errorf("inclusion of leaf %d at size %d in a log of %d", index, size, l.size)
	}
	proof, err := tlog.ProveRecord(size, index, tlog.HashReaderFunc(l.read))
	return plain(proof), err
}

// Consistency returns the proof that the log of newSize leaves begins with the
// log of oldSize leaves, 1 ≤ oldSize ≤ newSize. See [VerifyConsistency].
func (l Log) Consistency(oldSize, newSize int64) ([][32]byte, error) {
	if oldSize < 1 || oldSize > newSize || newSize > l.size {
		return nil, fmt.Errorf("consistency of sizes %d, %d in a log of %d", oldSize, newSize, l.size)
	}
	proof, err := tlog.ProveTree(newSize, oldSize, tlog.HashReaderFunc(l.read))
	return plain(proof), err
}

// stored returns the number of hashes, which is the position of the next one.
func (l Log) stored() int64 { return int64(len(l.full))*chunkHashes + int64(len(l.tail)) }

// at returns the hash at position i < stored.
func (l Log) at(i int64) [32]byte {
	if chunk := i / chunkHashes; chunk < int64(len(l.full)) {
		return l.full[chunk][i%chunkHashes]
	}
	return l.tail[i%chunkHashes]
}

// read is a [tlog.HashReaderFunc]; sizes were checked, so every position is
// there.
func (l Log) read(positions []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(positions))
	for i, p := range positions {
		hashes[i] = l.at(p)
	}
	return hashes, nil
}

// completed returns the hash of the next leaf with those of the subtrees that
// the leaf completes: one for each trailing 1 bit of its index.
func (l Log) completed(leaf [32]byte) [][32]byte {
	hashes := [][32]byte{leaf}
	for level, n := 0, l.size; n&1 == 1; level, n = level+1, n>>1 {
		left := l.at(tlog.StoredHashIndex(level, n-1))
		hashes = append(hashes, tlog.NodeHash(left, hashes[level]))
	}
	return hashes
}

// with returns the log with the hashes of one more leaf. It writes to no
// memory of l, so two logs may grow from one.
func (l Log) with(hashes [][32]byte) Log {
	next := Log{size: l.size + 1, full: l.full, tail: slices.Concat(l.tail, hashes)}
	if len(next.tail) >= chunkHashes {
		next.full = slices.Concat(l.full, [][][32]byte{next.tail[:chunkHashes]})
		next.tail = next.tail[chunkHashes:]
	}
	return next
}

// plain returns hashes without the type that belongs to tlog; never nil, so
// that JSON shows an empty list.
func plain(hashes []tlog.Hash) [][32]byte {
	list := make([][32]byte, len(hashes))
	for i, h := range hashes {
		list[i] = h
	}
	return list
}
