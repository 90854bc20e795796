package forge

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/discovery/prefixmap"
	"github.com/neurons-me/netget/discovery/translog"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/vectors"
)

// Proofs returns the vectors of proofs by themselves.
func Proofs() vectors.File[vectors.Proof] {
	f := vectors.File[vectors.Proof]{About: "Proofs of the map of services and of RFC 6962 trees, and the keys of services."}
	f.Vectors = append(f.Vectors, keyProofs()...)
	f.Vectors = append(f.Vectors, mapProofs()...)
	f.Vectors = append(f.Vectors, logProofs()...)
	f.Vectors = append(f.Vectors, consistencyProofs()...)
	return f
}

func keyProofs() []vectors.Proof {
	var list []vectors.Proof
	nid := hashOf("root")
	for _, s := range []string{"a", "databaseservice", strings.Repeat("s", 63)} {
		key := discovery.ServiceKey(nid, s)
		list = append(list, vectors.Proof{Case: vectors.Case{Name: "the key of " + s}, Kind: "key", NID: &nid, Service: s, Key: &key})
	}
	return list
}

// mapKey returns a key that begins with the bits of first.
func mapKey(first byte, rest string) [32]byte {
	k := [32]byte(hashOf(rest))
	k[0] = first
	return k
}

func mapProofs() []vectors.Proof {
	value := [32]byte(hashOf("value"))
	keys := [][32]byte{mapKey(0b0000_0000, "a"), mapKey(0b0000_0001, "b"), mapKey(0b0100_0000, "c"), mapKey(0b1000_0000, "d")}
	var full prefixmap.Map
	for _, k := range keys {
		full = full.Put(k, value)
	}
	one := prefixmap.Map{}.Put(keys[0], value)
	var list []vectors.Proof
	add := func(class identity.Code, name string, root, key [32]byte, proof []byte, want *vectors.ProofWant) {
		r, k := identity.Hash(root), identity.Hash(key)
		list = append(list, vectors.Proof{Case: vectors.Case{Name: name, Class: class}, Kind: "map", Root: &r, Key: &k, Proof: proof, Want: want})
	}
	there, gone := &vectors.ProofWant{Present: true, Value: new(identity.Hash(value))}, &vectors.ProofWant{}
	add("", "the empty map has nothing", [32]byte{}, keys[0], encode(prefixmap.Map{}.Prove(keys[0])), gone)
	add("", "the only key", one.Root(), keys[0], encode(one.Prove(keys[0])), there)
	add("", "absent beside the only key", one.Root(), keys[3], encode(one.Prove(keys[3])), gone)
	for i, k := range keys {
		add("", fmt.Sprintf("key %d of four", i), full.Root(), k, encode(full.Prove(k)), there)
	}
	add("", "absent, where the path ends in an empty place", full.Root(), mapKey(0b0010_0000, "x"), encode(full.Prove(mapKey(0b0010_0000, "x"))), gone)
	add("", "absent, where the path ends in the leaf of another key", full.Root(), mapKey(0b1100_0000, "x"), encode(full.Prove(mapKey(0b1100_0000, "x"))), gone)

	good := string(encode(full.Prove(keys[0])))
	spoil := func(class identity.Code, name string, change func(p *prefixmap.Proof)) {
		p := full.Prove(keys[0])
		change(&p)
		add(class, name, full.Root(), keys[0], encode(p), nil)
	}
	const incomplete = identity.Incomplete
	spoil(incomplete, "another value", func(p *prefixmap.Proof) { p.Value = new([32]byte(hashOf("other"))) })
	spoil(incomplete, "a sibling altered", func(p *prefixmap.Proof) { p.Siblings[1][0] ^= 1 })
	spoil(incomplete, "a path cut short", func(p *prefixmap.Proof) { p.Siblings = p.Siblings[:len(p.Siblings)-1] })
	spoil(incomplete, "a path made longer by an empty place", func(p *prefixmap.Proof) { p.Siblings = append(p.Siblings, [32]byte{}) })
	spoil(incomplete, "an empty path", func(p *prefixmap.Proof) { p.Siblings = [][32]byte{} })
	spoil(incomplete, "two siblings swapped", func(p *prefixmap.Proof) { p.Siblings[0], p.Siblings[1] = p.Siblings[1], p.Siblings[0] })
	spoil(incomplete, "an absence that is none", func(p *prefixmap.Proof) { p.Key, p.Value = nil, nil })
	spoil(incomplete, "the leaf of another key, which does not stand on the path", func(p *prefixmap.Proof) { *p = full.Prove(keys[3]) })
	spoil(incomplete, "key without value", func(p *prefixmap.Proof) { p.Value = nil })
	spoil(incomplete, "value without key", func(p *prefixmap.Proof) { p.Key = nil })
	add(incomplete, "absence proven for another key", full.Root(), keys[0], encode(full.Prove(mapKey(0b0010_0000, "x"))), nil)
	add(incomplete, "the proof of another map", one.Root(), keys[0], []byte(good), nil)
	add(incomplete, "an inner node taken for a leaf", full.Root(), keys[0], innerAsLeaf(full, keys[0]), nil)
	misplaced := one.Prove(keys[3]) // of keys[0], in a map of which the maker put it on the wrong side
	misplaced.Siblings = [][32]byte{{}}
	add(incomplete, "absence proven by a leaf that stands where it must not", rootWith(one.Root()), keys[3], encode(misplaced), nil)
	spoil(identity.Limits, "a path of 257", func(p *prefixmap.Proof) { p.Siblings = make([][32]byte, 257) })
	for _, m := range [][3]string{
		{"no siblings", `"siblings":[`, `"brothers":[`},
		{"no key", `"key":`, `"clef":`},
		{"no value", `"value":`, `"val":`},
		{"an upper-case member", `"key":`, `"Key":`},
		{"a short hash", `"value":"`, `"value":"A`},
		{"null for the key", `"key":"` + identity.Hash(keys[0]).String() + `"`, `"key":null`},
	} {
		add(identity.Malformed, m[0], full.Root(), keys[0], []byte(replace(good, m[1], m[2])), nil)
	}
	return list
}

// innerAsLeaf claims that the two hashes under the last inner node on the path
// are key and value of a leaf.
func innerAsLeaf(m prefixmap.Map, key [32]byte) []byte {
	p := m.Prove(key)
	last := p.Siblings[len(p.Siblings)-1]
	p.Siblings = p.Siblings[:len(p.Siblings)-1]
	p.Value = &last
	return encode(p)
}

// rootWith returns the root of a map with nothing on the left and the node on
// the right.
func rootWith(right [32]byte) [32]byte {
	return sha256.Sum256(slices.Concat([]byte{3}, make([]byte, 32), right[:]))
}

// newLog returns a log of size leaves; from leaf "from" on it has another past.
func newLog(size, from int) translog.Log {
	var l translog.Log
	for i := range size {
		text := fmt.Sprint("leaf ", i)
		if i >= from {
			text += " rewritten"
		}
		l, _ = l.Append([]byte(text))
	}
	return l
}

func logProofs() []vectors.Proof {
	var list []vectors.Proof
	log := newLog(8, 8)
	add := func(class identity.Code, kind, name string, size, index int64, proof [][32]byte, leaf string) {
		root := identity.Hash(must(log.Root(min(size, 8))))
		list = append(list, vectors.Proof{
			Case: vectors.Case{Name: name, Class: class}, Kind: kind, Root: &root, Size: size, Index: index,
			Leaf: new(identity.Hash(translog.LeafHash([]byte(leaf)))), Proof: encode(texts(proof)),
		})
	}
	for _, size := range []int64{1, 2, 3, 7, 8} {
		for _, index := range []int64{0, size / 2, size - 1} {
			if size == 1 && index > 0 || size == 2 && index == size/2 && index != size-1 {
				continue
			}
			name := fmt.Sprintf("leaf %d of %d", index, size)
			if len(list) > 0 && list[len(list)-1].Name == name {
				continue
			}
			add("", "inclusion", name, size, index, must(log.Inclusion(size, index)), fmt.Sprint("leaf ", index))
		}
	}
	good := must(log.Inclusion(7, 2))
	add("", "tree", "a leaf in the tree over a service", 7, 2, good, "leaf 2")
	const class = identity.Equivocation
	add(class, "inclusion", "another leaf", 7, 2, good, "leaf 3")
	add(class, "inclusion", "another index", 7, 3, good, "leaf 2")
	add(class, "inclusion", "another size", 8, 2, good, "leaf 2")
	add(class, "inclusion", "a proof cut short", 7, 2, good[:len(good)-1], "leaf 2")
	add(class, "inclusion", "a proof too long", 7, 2, append(slices.Clip(good), [32]byte{}), "leaf 2")
	add(class, "inclusion", "an index beyond the size", 7, 7, good, "leaf 7")
	add(class, "inclusion", "a negative index", 7, -1, good, "leaf 2")
	add(identity.Incomplete, "tree", "another leaf in the tree over a service", 7, 2, good, "leaf 3")
	add(identity.Incomplete, "tree", "another index in the tree over a service", 7, 3, good, "leaf 2")
	add(identity.Limits, "inclusion", "65 hashes", 7, 2, make([][32]byte, 65), "leaf 2")
	return list
}

func consistencyProofs() []vectors.Proof {
	var list []vectors.Proof
	log, other := newLog(8, 8), newLog(8, 2)
	add := func(class identity.Code, name string, older, newer translog.Log, oldSize, size int64, proof [][32]byte) {
		root, oldRoot := identity.Hash(must(newer.Root(size))), identity.Hash(must(older.Root(oldSize)))
		list = append(list, vectors.Proof{
			Case: vectors.Case{Name: name, Class: class}, Kind: "consistency",
			Root: &root, Size: size, OldSize: oldSize, OldRoot: &oldRoot, Proof: encode(texts(proof)),
		})
	}
	for _, s := range [][2]int64{{1, 2}, {1, 8}, {2, 3}, {3, 7}, {4, 8}, {6, 8}, {7, 8}} {
		add("", fmt.Sprintf("%d to %d", s[0], s[1]), log, log, s[0], s[1], must(log.Consistency(s[0], s[1])))
	}
	add("", "8 to 8", log, log, 8, 8, nil)
	const class = identity.Equivocation
	good := must(log.Consistency(3, 7))
	add(class, "a log that was rewritten, with its own proof", log, other, 3, 7, must(other.Consistency(3, 7)))
	add(class, "a log that was rewritten, with the honest proof", log, other, 3, 7, good)
	add(class, "two logs of one size", log, other, 8, 8, nil)
	add(class, "a proof from another size", log, log, 4, 7, good)
	add(class, "a proof to another size", log, log, 3, 8, good)
	add(class, "a consistency proof cut short", log, log, 3, 7, good[:len(good)-1])
	add(class, "a consistency proof too long", log, log, 3, 7, append(slices.Clip(good), [32]byte{}))
	add(class, "no consistency proof", log, log, 3, 7, nil)
	add(identity.Limits, "a consistency proof of 65 hashes", log, log, 3, 7, make([][32]byte, 65))
	return list
}

func texts(hashes [][32]byte) []identity.Hash {
	out := make([]identity.Hash, 0, len(hashes))
	for _, h := range hashes {
		out = append(out, h)
	}
	return out
}
