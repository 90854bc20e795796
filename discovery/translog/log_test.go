package translog_test

import (
	"encoding/hex"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/translog"
)

// The eight leaves that implementations of Certificate Transparency test with,
// and the root after each of them.
func ctVectors() (leaves, roots []string) {
	leaves = []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	}
	roots = []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	return leaves, roots
}

func TestRootsAreThoseOfCertificateTransparency(t *testing.T) {
	leaves, roots := ctVectors()
	var log translog.Log
	var hashes []hash
	for i, leaf := range leaves {
		data, err := hex.DecodeString(leaf)
		if err != nil {
			t.Fatal(err)
		}
		log, _ = log.Append(data)
		hashes = append(hashes, translog.LeafHash(data))
		root, err := log.Root(int64(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		tree, naive := translog.NewTree(hashes).Root(), naiveRoot(hashes)
		for name, got := range map[string]hash{"log": root, "tree": tree, "naive": naive} {
			if hex.EncodeToString(got[:]) != roots[i] {
				t.Errorf("%s of %d leaves: got root %x, want %s", name, i+1, got, roots[i])
			}
		}
	}
}

func TestEmptyTree(t *testing.T) {
	const want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	root, err := translog.Log{}.Root(0)
	if err != nil {
		t.Fatal(err)
	}
	tree := translog.NewTree(nil).Root()
	if hex.EncodeToString(root[:]) != want || hex.EncodeToString(tree[:]) != want {
		t.Errorf("got roots %x, %x, want %s", root, tree, want)
	}
}

func TestLogAgreesWithTheRFC(t *testing.T) {
	leaves, log, _ := numbered(70)
	for size := range len(leaves) + 1 {
		part := leaves[:size]
		root := must(log.Root(int64(size)))
		if want := naiveRoot(part); root != want {
			t.Fatalf("size %d: got root %x, want %x", size, root, want)
		}
		for i := range size {
			got := must(log.Inclusion(int64(size), int64(i)))
			if diff := cmp.Diff(naivePath(i, part), got); diff != "" {
				t.Fatalf("inclusion of %d at %d: %s", i, size, diff)
			}
			if err := translog.VerifyInclusion(got, int64(size), root, int64(i), part[i]); err != nil {
				t.Fatal(err)
			}
		}
		for old := 1; old <= size; old++ {
			got := must(log.Consistency(int64(old), int64(size)))
			if diff := cmp.Diff(naiveSubproof(old, part, true), got); diff != "" {
				t.Fatalf("consistency of %d, %d: %s", old, size, diff)
			}
			if err := translog.VerifyConsistency(got, int64(size), root, int64(old), naiveRoot(part[:old])); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRowsArePlacedAsTlogPlacesThem(t *testing.T) {
	_, log, rows := numbered(1000)
	if got, want := int64(len(rows)), tlog.StoredHashCount(1000); got != want {
		t.Fatalf("got %d rows, want %d", got, want)
	}
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(positions []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, p := range positions {
			list = append(list, stored[p])
		}
		return list, nil
	})
	for i := range 1000 {
		stored = append(stored, must(tlog.StoredHashes(int64(i), leafData(i), read))...)
	}
	for i, row := range rows {
		if row.Position != int64(i) || row.Hash != stored[i] {
			t.Fatalf("got row %d %x, want %d %x", row.Position, row.Hash, i, stored[i])
		}
	}
	if got, want := must(log.Root(1000)), must(tlog.TreeHash(1000, read)); got != want {
		t.Errorf("got root %x, want %x", got, want)
	}
}

func TestRestoredLogGoesOn(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 127, 128, 129, 256, 300, 1000} {
		_, log, rows := numbered(size)
		restored, err := translog.Restore(int64(size), rows)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 400 {
			var got, want []translog.Row
			restored, got = restored.Append(leafData(i))
			log, want = log.Append(leafData(i))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("append %d after restoring %d: %s", i, size, diff)
			}
		}
		if got, want := must(restored.Root(restored.Size())), must(log.Root(log.Size())); got != want {
			t.Errorf("restored from %d: got root %x, want %x", size, got, want)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	_, _, rows := numbered(300)
	for name, change := range map[string]func() (int64, []translog.Row){
		"negative size":       func() (int64, []translog.Row) { return -1, nil },
		"absurd size":         func() (int64, []translog.Row) { return math.MaxInt64, rows },
		"rows without leaves": func() (int64, []translog.Row) { return 0, rows[:1] },
		"a missing last row":  func() (int64, []translog.Row) { return 300, rows[:len(rows)-1] },
		"a missing first row": func() (int64, []translog.Row) { return 300, rows[1:] },
		"too great a size":    func() (int64, []translog.Row) { return 301, rows },
		"too small a size":    func() (int64, []translog.Row) { return 299, rows },
		"swapped rows": func() (int64, []translog.Row) {
			swapped := slices.Clone(rows)
			swapped[0], swapped[1] = swapped[1], swapped[0]
			return 300, swapped
		},
		"an altered leaf": func() (int64, []translog.Row) { return 300, altered(rows, 0) },
		"an altered inner row": func() (int64, []translog.Row) {
			return 300, altered(rows, int(tlog.StoredHashIndex(8, 0)))
		},
	} {
		size, rows := change()
		if _, err := translog.Restore(size, rows); err == nil {
			t.Errorf("accepts %s", name)
		}
	}
}

// altered returns the rows with one bit of row i turned.
func altered(rows []translog.Row, i int) []translog.Row {
	rows = slices.Clone(rows)
	rows[i].Hash[0] ^= 1
	return rows
}

// A version whose transaction failed is dropped, and another one takes its
// place: the two logs must not share what they added.
func TestTwoLogsGrowFromOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SampledFrom([]int{0, 1, 120, 128, 300, 450}).Draw(t, "before")
		leaves, log, _ := numbered(before)
		left, right := log, log
		leftLeaves, rightLeaves := slices.Clone(leaves), slices.Clone(leaves)
		for i := range rapid.IntRange(1, 300).Draw(t, "after") {
			left, _ = left.Append(leafData(1000 + i))
			right, _ = right.Append(leafData(2000 + i))
			leftLeaves = append(leftLeaves, translog.LeafHash(leafData(1000+i)))
			rightLeaves = append(rightLeaves, translog.LeafHash(leafData(2000+i)))
		}
		for _, c := range []struct {
			log    translog.Log
			leaves []hash
		}{{log, leaves}, {left, leftLeaves}, {right, rightLeaves}} {
			if got, want := must(c.log.Root(c.log.Size())), translog.NewTree(c.leaves).Root(); got != want {
				t.Fatalf("got root %x, want %x", got, want)
			}
		}
	})
}

func TestReadersOfAGrowingLog(t *testing.T) {
	var log translog.Log
	var readers sync.WaitGroup
	for i := range 600 {
		log, _ = log.Append(leafData(i))
		snapshot := log
		readers.Go(func() {
			size := snapshot.Size()
			proof, root := must(snapshot.Inclusion(size, size/2)), must(snapshot.Root(size))
			leaf := translog.LeafHash(leafData(int(size / 2)))
			if err := translog.VerifyInclusion(proof, size, root, size/2, leaf); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
}

func TestLogRefusesSizesItNeverHad(t *testing.T) {
	_, log, _ := numbered(5)
	for _, size := range []int64{math.MinInt64, -1, 6, 1 << 53, math.MaxInt64} {
		if _, err := log.Root(size); err == nil {
			t.Errorf("root of size %d given", size)
		}
		if _, err := log.Inclusion(size, 0); err == nil {
			t.Errorf("inclusion at size %d given", size)
		}
		if _, err := log.Inclusion(5, size); err == nil {
			t.Errorf("inclusion of leaf %d given", size)
		}
		if _, err := log.Consistency(size, 5); err == nil {
			t.Errorf("consistency from %d given", size)
		}
		if _, err := log.Consistency(1, size); err == nil {
			t.Errorf("consistency to %d given", size)
		}
	}
	if _, err := log.Consistency(0, 5); err == nil {
		t.Error("consistency from 0 given")
	}
}

// must returns v; the tests that use it pass inputs which cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func BenchmarkAppend(b *testing.B) {
	_, log, _ := numbered(100_000)
	leaf := make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		log, _ = log.Append(leaf)
	}
}

func BenchmarkInclusion(b *testing.B) {
	_, log, _ := numbered(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := log.Inclusion(100_000, 99_999); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRestore(b *testing.B) {
	_, _, rows := numbered(100_000)
	for b.Loop() {
		if _, err := translog.Restore(100_000, rows); err != nil {
			b.Fatal(err)
		}
	}
}
