package translog_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// FuzzInclusion holds the verifier against that of RFC 9162 section 2.1.3.2.
func FuzzInclusion(f *testing.F) {
	for _, v := range vectorProofs(f, "inclusion", "tree") {
		f.Add(v.raw, v.Size, v.Root[:], v.Index, v.Leaf[:])
	}
	leaves, log, _ := numbered(7)
	root := must(log.Root(7))
	for i, leaf := range leaves {
		f.Add(flat(must(log.Inclusion(7, int64(i)))), int64(7), root[:], int64(i), leaf[:])
	}
	f.Add([]byte{}, int64(math.MaxInt64), root[:], int64(1), root[:])
	f.Fuzz(func(t *testing.T, proof []byte, size int64, root []byte, index int64, leaf []byte) {
		list := unflat(proof)
		got := translog.VerifyInclusion(list, size, first(root), index, first(leaf)) == nil
		want := len(list) <= 64 && size < 1<<53 && naiveInclusion(list, size, first(root), index, first(leaf))
		if got != want {
			t.Errorf("got %v, the RFC's verifier says %v", got, want)
		}
	})
}

// FuzzConsistency holds the verifier against that of RFC 9162 section 2.1.4.2.
func FuzzConsistency(f *testing.F) {
	for _, v := range vectorProofs(f, "consistency") {
		f.Add(v.raw, v.Size, v.Root[:], v.OldSize, v.OldRoot[:])
	}
	_, log, _ := numbered(7)
	for m := range int64(7) {
		for n := m; n < 7; n++ {
			oldRoot, newRoot := must(log.Root(m+1)), must(log.Root(n+1))
			f.Add(flat(must(log.Consistency(m+1, n+1))), n+1, newRoot[:], m+1, oldRoot[:])
		}
	}
	f.Add([]byte{}, int64(math.MaxInt64), []byte{}, int64(1), []byte{})
	f.Fuzz(func(t *testing.T, proof []byte, newSize int64, newRoot []byte, oldSize int64, oldRoot []byte) {
		list := unflat(proof)
		got := translog.VerifyConsistency(list, newSize, first(newRoot), oldSize, first(oldRoot)) == nil
		want := len(list) <= 64 && newSize < 1<<53 &&
			naiveConsistency(list, newSize, first(newRoot), oldSize, first(oldRoot))
		if got != want {
			t.Errorf("got %v, the RFC's verifier says %v", got, want)
		}
	})
}

// A vectorProof is a published proof with its hashes one behind the other.
type vectorProof struct {
	vectors.Proof
	raw []byte
}

func vectorProofs(f *testing.F, kinds ...string) []vectorProof {
	f.Helper()
	file, err := vectors.Read[vectors.Proof]("../../testdata/vectors", vectors.ProofsFile)
	if err != nil {
		f.Fatal(err)
	}
	var all []vectorProof
	for _, v := range file.Vectors {
		var list []identity.Hash
		if !slices.Contains(kinds, v.Kind) || json.Unmarshal(v.Proof, &list) != nil {
			continue
		}
		p := vectorProof{Proof: v}
		for _, h := range list {
			p.raw = append(p.raw, h[:]...)
		}
		all = append(all, p)
	}
	return all
}
