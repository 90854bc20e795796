package prefixmap_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/prefixmap"
)

func TestRootsOfSmallMaps(t *testing.T) {
	a, b, c := hash{0x00}, hash{0x80}, hash{0xc0}
	v, w, x := hash{1}, hash{2}, hash{3}
	var empty prefixmap.Map
	for _, c := range []struct {
		name string
		m    prefixmap.Map
		want hash
	}{
		{"an empty map is zeros", empty, hash{}},
		{"one leaf is the root", empty.Put(a, v), naiveLeaf(a, v)},
		{
			"two leaves that differ at once", empty.Put(a, v).Put(b, w),
			naiveInner(naiveLeaf(a, v), naiveLeaf(b, w)),
		},
		{
			"two leaves that differ in bit 1 hang below an inner node with an empty half",
			empty.Put(b, w).Put(c, x),
			naiveInner(hash{}, naiveInner(naiveLeaf(b, w), naiveLeaf(c, x))),
		},
		{
			"a leaf rises when its neighbour goes", empty.Put(b, w).Put(c, x).Put(a, v).Delete(c),
			naiveInner(naiveLeaf(a, v), naiveLeaf(b, w)),
		},
		{"the last leaf leaves nothing", empty.Put(a, v).Delete(a), hash{}},
	} {
		if got := c.m.Root(); got != c.want {
			t.Errorf("%s: got %x, want %x", c.name, got, c.want)
		}
	}
}

func TestMapAgreesWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[hash]hash{}
		var m prefixmap.Map
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				key, value := keys().Draw(t, "key"), values().Draw(t, "value")
				m, want[key] = m.Put(key, value), value
			},
			"delete": func(t *rapid.T) {
				key := keys().Draw(t, "key")
				m = m.Delete(key)
				delete(want, key)
			},
			"apply": func(t *rapid.T) {
				changes := drawChanges(t)
				m = m.Apply(changes)
				change(want, changes)
			},
			"compare": func(t *rapid.T) { compare(t, m, want, keys().Draw(t, "asked")) },
		})
	})
}

// compare fails unless m is the map of the entries, to the proof of key.
func compare(t *rapid.T, m prefixmap.Map, want map[hash]hash, key hash) {
	t.Helper()
	if m.Len() != len(want) {
		t.Fatalf("got %d keys, want %d", m.Len(), len(want))
	}
	if got, want := m.Root(), naiveRoot(want, 0); got != want {
		t.Fatalf("got root %x, want %x", got, want)
	}
	wantValue, wantOK := want[key]
	if value, ok := m.Get(key); value != wantValue || ok != wantOK {
		t.Fatalf("got %x, %v, want %x, %v", value, ok, wantValue, wantOK)
	}
	p := m.Prove(key)
	if diff := cmp.Diff(naiveProve(want, 0, key), p); diff != "" {
		t.Fatalf("proof: %s", diff)
	}
	value, present, err := prefixmap.Verify(m.Root(), key, p)
	if err != nil || value != wantValue || present != wantOK {
		t.Fatalf("verified %x, %v, %v, want %x, %v", value, present, err, wantValue, wantOK)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := contents().Draw(t, "entries")
		gone := rapid.SliceOfN(keys(), 0, 5).Draw(t, "gone")
		order := rapid.Permutation(slices.Collect(maps.Keys(entries))).Draw(t, "order")
		var m prefixmap.Map
		for _, key := range gone {
			m = m.Put(key, hash{9})
		}
		for _, key := range order {
			m = m.Put(key, entries[key])
		}
		for _, key := range gone {
			if _, stays := entries[key]; !stays {
				m = m.Delete(key)
			}
		}
		if got, want := m.Root(), mapOf(entries).Root(); got != want {
			t.Fatalf("got root %x, want %x", got, want)
		}
	})
}

func TestOldMapsStayAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := contents().Draw(t, "entries")
		before := mapOf(entries)
		changes := drawChanges(t)
		given := slices.Clone(changes)
		before.Apply(changes)
		compare(t, before, entries, keys().Draw(t, "asked"))
		if diff := cmp.Diff(given, changes); diff != "" {
			t.Fatalf("the caller's changes were changed: %s", diff)
		}
	})
}

func TestChangesOfNothingKeepTheMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := contents().Draw(t, "entries")
		m := mapOf(entries)
		var same []prefixmap.Change
		for key, value := range entries {
			same = append(same, prefixmap.Change{Key: key, Value: value})
		}
		if _, has := entries[hash{7}]; !has {
			same = append(same, prefixmap.Change{Key: hash{7}, Delete: true})
		}
		if got := m.Apply(same); got != m {
			t.Fatal("made new nodes")
		}
	})
}

func TestReadersOfAChangingMap(t *testing.T) {
	var m prefixmap.Map
	var readers sync.WaitGroup
	for i := range 500 {
		m = m.Put(numbered(i), numbered(i))
		snapshot := m
		readers.Go(func() {
			_, present, err := prefixmap.Verify(snapshot.Root(), numbered(i/2), snapshot.Prove(numbered(i/2)))
			if err != nil || !present {
				t.Errorf("got %v, %v", present, err)
			}
		})
	}
	readers.Wait()
}

func drawChanges(t *rapid.T) []prefixmap.Change {
	t.Helper()
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) prefixmap.Change {
		return prefixmap.Change{
			Key:    keys().Draw(t, "key"),
			Value:  values().Draw(t, "value"),
			Delete: rapid.Bool().Draw(t, "delete"),
		}
	}), 0, 20).Draw(t, "changes")
}

func change(entries map[hash]hash, changes []prefixmap.Change) {
	for _, c := range changes {
		if c.Delete {
			delete(entries, c.Key)
		} else {
			entries[c.Key] = c.Value
		}
	}
}

// numbered returns the nth of many keys that look random.
func numbered(n int) hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func numberedMap(n int) prefixmap.Map {
	changes := make([]prefixmap.Change, n)
	for i := range changes {
		changes[i] = prefixmap.Change{Key: numbered(i), Value: numbered(i)}
	}
	return prefixmap.Map{}.Apply(changes)
}

func BenchmarkPutRoot(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m, i := numberedMap(size), 0
			b.ReportAllocs()
			for b.Loop() {
				i++
				m = m.Put(numbered(i%size), numbered(size+i))
				m.Root()
			}
		})
	}
}

func BenchmarkApply100(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m, i := numberedMap(size), 0
			changes := make([]prefixmap.Change, 100)
			b.ReportAllocs()
			for b.Loop() {
				for k := range changes {
					i++
					changes[k] = prefixmap.Change{Key: numbered(i % size), Value: numbered(size + i)}
				}
				m = m.Apply(changes)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				numberedMap(size)
			}
		})
	}
}

func BenchmarkProve(b *testing.B) {
	m := numberedMap(100_000)
	b.ReportAllocs()
	for b.Loop() {
		m.Prove(numbered(5))
	}
}

func BenchmarkVerify(b *testing.B) {
	m := numberedMap(100_000)
	p := m.Prove(numbered(5))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := prefixmap.Verify(m.Root(), numbered(5), p); err != nil {
			b.Fatal(err)
		}
	}
}
