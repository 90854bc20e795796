package translog_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/translog"
)

func TestVerifyRefusesAbsurdSizes(t *testing.T) {
	var zero hash
	proof := make([]hash, 10)
	for _, n := range []int64{math.MinInt64, -1, 0, 1 << 53, 1<<62 + 1, math.MaxInt64} {
		if err := translog.VerifyInclusion(proof, n, zero, 0, zero); err == nil {
			t.Errorf("inclusion in a tree of %d accepted", n)
		}
		if err := translog.VerifyInclusion(proof, n, zero, n-1, zero); err == nil {
			t.Errorf("inclusion of leaf %d accepted", n-1)
		}
		if err := translog.VerifyConsistency(proof, n, zero, 1, zero); err == nil {
			t.Errorf("consistency to %d accepted", n)
		}
		if err := translog.VerifyConsistency(proof, n, zero, n, zero); err == nil {
			t.Errorf("consistency from %d accepted", n)
		}
	}
}

func TestVerifyRefusesLongProofs(t *testing.T) {
	var zero hash
	long := make([]hash, translog.MaxProof+1)
	if err := translog.VerifyInclusion(long, 2, zero, 0, zero); !errors.Is(err, translog.ErrTooLong) {
		t.Errorf("inclusion: got %v, want ErrTooLong", err)
	}
	if err := translog.VerifyConsistency(long, 2, zero, 1, zero); !errors.Is(err, translog.ErrTooLong) {
		t.Errorf("consistency: got %v, want ErrTooLong", err)
	}
}

func TestNoAlteredInclusionVerifies(t *testing.T) {
	leaves, log, _ := numbered(40)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, len(leaves)).Draw(t, "size")
		index := rapid.IntRange(0, size-1).Draw(t, "index")
		root := must(log.Root(int64(size)))
		proof := must(log.Inclusion(int64(size), int64(index)))
		other := rapid.IntRange(0, len(leaves)-1).Draw(t, "other")
		if other != index {
			if translog.VerifyInclusion(proof, int64(size), root, int64(index), leaves[other]) == nil {
				t.Fatal("another leaf verifies")
			}
			if translog.VerifyInclusion(proof, int64(size), root, int64(other), leaves[index]) == nil {
				t.Fatal("another index verifies")
			}
		}
		if mutated := mutate(t, proof, leaves); !slices.Equal(mutated, proof) &&
			translog.VerifyInclusion(mutated, int64(size), root, int64(index), leaves[index]) == nil {
			t.Fatal("an altered proof verifies")
		}
	})
}

func TestNoAlteredConsistencyVerifies(t *testing.T) {
	leaves, log, _ := numbered(40)
	rapid.Check(t, func(t *rapid.T) {
		newSize := rapid.IntRange(1, len(leaves)).Draw(t, "new")
		oldSize := rapid.IntRange(1, newSize).Draw(t, "old")
		newRoot, oldRoot := must(log.Root(int64(newSize))), must(log.Root(int64(oldSize)))
		proof := must(log.Consistency(int64(oldSize), int64(newSize)))
		forked := slices.Clone(leaves[:oldSize])
		forked[rapid.IntRange(0, oldSize-1).Draw(t, "forked")][0] ^= 1
		if translog.VerifyConsistency(proof, int64(newSize), newRoot, int64(oldSize), naiveRoot(forked)) == nil {
			t.Fatal("a rewritten past verifies")
		}
		if mutated := mutate(t, proof, leaves); !slices.Equal(mutated, proof) &&
			translog.VerifyConsistency(mutated, int64(newSize), newRoot, int64(oldSize), oldRoot) == nil {
			t.Fatal("an altered proof verifies")
		}
	})
}

// mutate returns proof with one thing changed, or unchanged where there is
// nothing to change.
func mutate(t *rapid.T, proof, hashes []hash) []hash {
	t.Helper()
	proof = slices.Clone(proof)
	i := rapid.IntRange(0, len(proof)).Draw(t, "at")
	h := rapid.SampledFrom(hashes).Draw(t, "hash")
	switch how := rapid.SampledFrom([]string{"insert", "delete", "replace", "turn a bit"}).Draw(t, "how"); {
	case how == "insert":
		return slices.Insert(proof, i, h)
	case i == len(proof):
	case how == "delete":
		return slices.Delete(proof, i, i+1)
	case how == "replace":
		proof[i] = h
	default:
		proof[i][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
	}
	return proof
}

func flat(hashes []hash) []byte {
	var b []byte
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

func unflat(b []byte) []hash {
	var list []hash
	for chunk := range slices.Chunk(b, 32) {
		list = append(list, first(chunk))
	}
	return list
}

// first returns the first 32 bytes of b, filled up with zeros.
func first(b []byte) hash {
	var h hash
	copy(h[:], b)
	return h
}
