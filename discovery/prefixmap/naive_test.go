package prefixmap_test

import (
	"crypto/sha256"
	"slices"

	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/prefixmap"
)

// This file is the reference: the recursive definition of the map over plain
// Go maps. It shares no code with the package.

type hash = [32]byte

// naiveRoot returns the hash of the subtree whose keys are entries.
func naiveRoot(entries map[hash]hash, depth int) hash {
	switch len(entries) {
	case 0:
		return hash{}
	case 1:
		for key, value := range entries {
			return naiveLeaf(key, value)
		}
	}
	return naiveInner(naiveRoot(half(entries, depth, '0'), depth+1), naiveRoot(half(entries, depth, '1'), depth+1))
}

// naiveProve returns the proof for key in the subtree whose keys are entries.
func naiveProve(entries map[hash]hash, depth int, key hash) prefixmap.Proof {
	p := prefixmap.Proof{Siblings: []hash{}}
	if len(entries) < 2 {
		for k, v := range entries {
			p.Key, p.Value = &k, &v
		}
		return p
	}
	side, other := byte('0'), byte('1')
	if digit(key, depth) == '1' {
		side, other = other, side
	}
	below := naiveProve(half(entries, depth, side), depth+1, key)
	p.Siblings = append(p.Siblings, naiveRoot(half(entries, depth, other), depth+1))
	p.Siblings = append(p.Siblings, below.Siblings...)
	p.Key, p.Value = below.Key, below.Value
	return p
}

// naiveVerify follows the text from the root downwards instead of upwards.
func naiveVerify(root, key hash, p prefixmap.Proof) (value hash, present, ok bool) {
	if len(p.Siblings) > 256 || (p.Key == nil) != (p.Value == nil) {
		return hash{}, false, false
	}
	var end hash
	if p.Key != nil {
		if n := len(p.Siblings); digits(*p.Key, n) != digits(key, n) {
			return hash{}, false, false
		}
		end = naiveLeaf(*p.Key, *p.Value)
	}
	if naiveClimb(p.Siblings, digits(key, len(p.Siblings)), end) != root {
		return hash{}, false, false
	}
	if p.Key != nil && *p.Key == key {
		return *p.Value, true, true
	}
	return hash{}, false, true
}

func naiveClimb(siblings []hash, digits string, end hash) hash {
	if len(siblings) == 0 {
		return end
	}
	below := naiveClimb(siblings[1:], digits[1:], end)
	if digits[0] == '0' {
		return naiveInner(below, siblings[0])
	}
	return naiveInner(siblings[0], below)
}

func half(entries map[hash]hash, depth int, side byte) map[hash]hash {
	part := map[hash]hash{}
	for key, value := range entries {
		if digit(key, depth) == side {
			part[key] = value
		}
	}
	return part
}

// digit returns digit d of key written as 256 binary digits.
func digit(key hash, d int) byte {
	if key[d/8]<<(d%8) >= 0x80 {
		return '1'
	}
	return '0'
}

// digits returns the first n binary digits of key.
func digits(key hash, n int) string {
	s := make([]byte, n)
	for d := range s {
		s[d] = digit(key, d)
	}
	return string(s)
}

func naiveLeaf(key, value hash) hash {
	return sha256.Sum256(slices.Concat([]byte{2}, key[:], value[:]))
}

func naiveInner(left, right hash) hash {
	return sha256.Sum256(slices.Concat([]byte{3}, left[:], right[:]))
}

// keys draws keys that differ early, late or in the very last bit only, so
// that paths of every length occur.
func keys() *rapid.Generator[hash] {
	return rapid.Custom(func(t *rapid.T) hash {
		var key hash
		for i := range 2 {
			key[i] = rapid.SampledFrom([]byte{0, 1, 0x80, 0xff}).Draw(t, "byte")
		}
		// Seldom, for the reference is slow on paths of 256.
		if rapid.IntRange(0, 15).Draw(t, "deep") == 15 {
			key[31] = 1
		}
		return key
	})
}

// values draws few values, so that a change may set what is there.
func values() *rapid.Generator[hash] {
	return rapid.Map(rapid.ByteRange(0, 3), func(b byte) hash { return hash{b} })
}

// contents draws what a map may hold.
func contents() *rapid.Generator[map[hash]hash] {
	return rapid.MapOfN(keys(), values(), 0, 12)
}

// mapOf returns the map with those entries.
func mapOf(entries map[hash]hash) prefixmap.Map {
	var m prefixmap.Map
	for key, value := range entries {
		m = m.Put(key, value)
	}
	return m
}
