package translog

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxProof is the greatest number of hashes in a proof. No log that fits the
// integers of the protocol needs as many.
const MaxProof = 64

// maxSize is the greatest integer of the protocol, 2^53−1. The arithmetic of
// tlog does not end near 2^63.
const maxSize = 1<<53 - 1

// ErrTooLong is returned by [VerifyInclusion] as well as by
// [VerifyConsistency] for a proof of more than [MaxProof] hashes.
var ErrTooLong = errors.New("proof has more than 64 hashes")

// VerifyInclusion checks that the tree of size leaves with that root has
// leafHash at index, counted from 0. It judges [Log.Inclusion] as well as
// [Path]. The error is [ErrTooLong] or says that the proof proves nothing.
// Source: RFC 6962, section 2.1.1.
func VerifyInclusion(proof [][32]byte, size int64, root [32]byte, index int64, leafHash [32]byte) error {
	if len(proof) > MaxProof {
		return ErrTooLong
	}
	if size > maxSize || index < 0 || index >= size {
		return fmt.Errorf("no leaf %d in a tree of %d", index, size)
	}
	if err := tlog.CheckRecord(foreign(proof), size, root, index, leafHash); err != nil {
		return fmt.Errorf("leaf %d is not shown to be in the tree of %d: %w", index, size, err)
	}
	return nil
}

// VerifyConsistency checks that the tree of newSize leaves with newRoot begins
// with the tree of oldSize leaves with oldRoot, 1 ≤ oldSize ≤ newSize. Of equal
// sizes the roots must be equal, the proof empty. The error is [ErrTooLong] or
// says that the proof proves nothing. Source: RFC 6962, section 2.1.2.
func VerifyConsistency(proof [][32]byte, newSize int64, newRoot [32]byte, oldSize int64, oldRoot [32]byte) error {
	if len(proof) > MaxProof {
		return ErrTooLong
	}
	if oldSize < 1 || oldSize > newSize || newSize > maxSize {
		return fmt.Errorf("no consistency of sizes %d, %d", oldSize, newSize)
	}
	if err := tlog.CheckTree(foreign(proof), newSize, newRoot, oldSize, oldRoot); err != nil {
		return fmt.Errorf("tree of %d is not shown to begin with that of %d: %w", newSize, oldSize, err)
	}
	return nil
}

// foreign returns the hashes with the type of tlog.
func foreign(hashes [][32]byte) []tlog.Hash {
	list := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		list[i] = h
	}
	return list
}
