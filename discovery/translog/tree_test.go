package translog_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neurons-me/netget/discovery/translog"
)

func TestTreeAgreesWithTheRFC(t *testing.T) {
	all, _, _ := numbered(70)
	for size := range len(all) + 1 {
		leaves := all[:size]
		before := slices.Clone(leaves)
		root := translog.NewTree(leaves).Root()
		if want := naiveRoot(leaves); root != want {
			t.Fatalf("size %d: got root %x, want %x", size, root, want)
		}
		for i := range leaves {
			path := must(translog.NewTree(leaves).Path(i))
			if diff := cmp.Diff(naivePath(i, leaves), path); diff != "" {
				t.Fatalf("path of %d at %d: %s", i, size, diff)
			}
			if err := translog.VerifyInclusion(path, int64(size), root, int64(i), leaves[i]); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before, leaves); diff != "" {
			t.Fatalf("size %d: the leaves were changed: %s", size, diff)
		}
	}
}

func TestPathRefusesIndexesOutsideOfTheTree(t *testing.T) {
	leaves, _, _ := numbered(3)
	for _, index := range []int{-1 << 63, -1, 3, 1<<63 - 1} {
		if _, err := translog.NewTree(leaves).Path(index); err == nil {
			t.Errorf("path of leaf %d given", index)
		}
	}
	if _, err := translog.NewTree(nil).Path(0); err == nil {
		t.Error("path in the empty tree given")
	}
}

func BenchmarkTree(b *testing.B) {
	for _, size := range []int{100, 20_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			leaves, _, _ := numbered(size)
			b.ReportAllocs()
			for b.Loop() {
				translog.NewTree(leaves).Root()
			}
		})
	}
}
