package prefixmap

import (
	"errors"
	"math/bits"
	"slices"
)

// MaxSiblings is the greatest number of siblings in a proof: one for each bit
// of a key.
const MaxSiblings = 256

// ErrTooLong is returned by [Verify] as well as by [Proof.UnmarshalJSON] for a
// proof of more than [MaxSiblings] siblings.
var ErrTooLong = errors.New("proof has more than 256 siblings")

// A Proof shows what a map with a known root holds under one key. Whoever
// knows the key gets it from [Map.Prove], whoever knows the root judges it
// with [Verify].
type Proof struct {
	// Siblings[d] is the hash of the other child at depth d, zero if that is
	// empty. The path ends at depth len(Siblings).
	Siblings [][32]byte
	// Key, Value are the leaf at the end of the path, both nil if the path
	// ends in an empty place.
	Key, Value *[32]byte
}

// Prove returns the proof of what the map holds under key: of its value, or
// that there is none.
func (m Map) Prove(key [32]byte) Proof {
	p := Proof{Siblings: [][32]byte{}}
	n := m.root
	for depth := 0; n.isInner(); depth++ {
		next, other := n.step(key, depth)
		p.Siblings = append(p.Siblings, other.sum())
		n = next
	}
	if n != nil {
		p.Key, p.Value = new(n.leaf.key), new(n.leaf.value)
	}
	return p
}

// Verify judges p as a proof about key in the map with that root. It returns
// the value, true if the map has key; zeros, false if the map verifiably does
// not have it. An error means that p proves nothing; it is [ErrTooLong] if p
// was not looked at because of its length.
//
// A root fixes the verdict for every key, even if whoever made the root broke
// the rules of the map: the bits of the key choose one path downwards, where
// leaf, inner node or empty place cannot stand for one another without a
// collision of SHA-256. Source: docs/protocol.md, section 5, "Proof".
func Verify(root, key [32]byte, p Proof) (value [32]byte, present bool, err error) {
	if len(p.Siblings) > MaxSiblings {
		return [32]byte{}, false, ErrTooLong
	}
	end, err := p.end(key)
	if err != nil {
		return [32]byte{}, false, err
	}
	if p.climb(key, end) != root {
		return [32]byte{}, false, errors.New("proof does not lead to the root")
	}
	if p.Key == nil || *p.Key != key {
		return [32]byte{}, false, nil
	}
	return *p.Value, true, nil
}

// end returns the hash at the end of the path.
func (p Proof) end(key [32]byte) ([32]byte, error) {
	if p.Key == nil && p.Value == nil {
		return [32]byte{}, nil
	}
	if p.Key == nil || p.Value == nil {
		return [32]byte{}, errors.New("proof has half a leaf")
	}
	// Any other leaf would not stand on the path of key.
	if commonBits(*p.Key, key) < len(p.Siblings) {
		return [32]byte{}, errors.New("leaf of the proof is not on the path of the key")
	}
	return hashLeaf(*p.Key, *p.Value), nil
}

// climb returns the root that follows from the hash at the end of the path.
func (p Proof) climb(key, h [32]byte) [32]byte {
	for d, sibling := range slices.Backward(p.Siblings) {
		if bit(key, d) == 0 {
			h = hashInner(h, sibling)
		} else {
			h = hashInner(sibling, h)
		}
	}
	return h
}

// commonBits returns how many leading bits a, b share.
func commonBits(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * len(a)
}
