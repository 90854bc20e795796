package prefixmap_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/neurons-me/netget/discovery/prefixmap"
)

func TestVerifyRefuses(t *testing.T) {
	a, b, c := hash{0x00}, hash{0x80}, hash{0xc0}
	v := hash{1}
	m := prefixmap.Map{}.Put(a, v).Put(b, v).Put(c, v)
	root, good := m.Root(), m.Prove(b)
	for name, p := range map[string]prefixmap.Proof{
		"an empty proof":           {},
		"a truncated path":         {Siblings: good.Siblings[:1], Key: good.Key, Value: good.Value},
		"an extended path":         {Siblings: append(slices.Clone(good.Siblings), hash{}), Key: good.Key, Value: good.Value},
		"an absence in its place":  {Siblings: good.Siblings},
		"another value":            {Siblings: good.Siblings, Key: &b, Value: &hash{2}},
		"another key on the path":  {Siblings: good.Siblings, Key: &hash{0x81}, Value: &v},
		"the leaf of another path": m.Prove(a),
		"a key without value":      {Siblings: good.Siblings, Key: &b},
		"a value without key":      {Siblings: good.Siblings, Value: &v},
	} {
		if _, _, err := prefixmap.Verify(root, b, p); err == nil {
			t.Errorf("accepts %s", name)
		}
	}
	if _, present, err := prefixmap.Verify(root, b, good); err != nil || !present {
		t.Errorf("refuses the proof itself: %v, %v", present, err)
	}
	// Where the hashes would fit, too, a leaf stands on no other key's path
	// and half a leaf is none.
	crooked := naiveInner(naiveLeaf(b, v), hash{})
	if _, _, err := prefixmap.Verify(crooked, a, prefixmap.Proof{Siblings: []hash{{}}, Key: &b, Value: &v}); err == nil {
		t.Error("accepts a leaf off the path in a crooked trie")
	}
	if _, _, err := prefixmap.Verify(hash{}, b, prefixmap.Proof{Value: &v}); err == nil {
		t.Error("accepts a value without key in the empty map")
	}
}

func TestVerifyLimitsThePath(t *testing.T) {
	last := hash{31: 1}
	m := prefixmap.Map{}.Put(hash{}, hash{1}).Put(last, hash{2})
	p := m.Prove(last)
	if len(p.Siblings) != prefixmap.MaxSiblings {
		t.Fatalf("got %d siblings, want the greatest number", len(p.Siblings))
	}
	if value, present, err := prefixmap.Verify(m.Root(), last, p); err != nil || !present || value != (hash{2}) {
		t.Errorf("refuses the longest path: %x, %v, %v", value, present, err)
	}
	p.Siblings = append(p.Siblings, hash{})
	if _, _, err := prefixmap.Verify(m.Root(), last, p); !errors.Is(err, prefixmap.ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
}

// No proof, however altered, may say of a key under one root what the honest
// proof does not say.
func TestNoAlteredProofContradicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := contents().Draw(t, "entries")
		m := mapOf(entries)
		asked := keys().Draw(t, "asked")
		value, present := m.Get(asked)
		p := m.Prove(asked)
		for range rapid.IntRange(1, 3).Draw(t, "alterations") {
			p = alter(t, m, p)
		}
		got, gotPresent, err := prefixmap.Verify(m.Root(), asked, p)
		if err == nil && (got != value || gotPresent != present) {
			t.Fatalf("verifies %x, %v, the map has %x, %v", got, gotPresent, value, present)
		}
		naive, naivePresent, ok := naiveVerify(m.Root(), asked, p)
		if ok != (err == nil) || naive != got || naivePresent != gotPresent {
			t.Fatalf("verifies %x, %v, %v, the text says %x, %v, %v", got, gotPresent, err, naive, naivePresent, ok)
		}
	})
}

// A registry may sign the root of a trie that breaks the rules: leaves too
// deep or on paths of other keys, empty inner nodes. It still commits to one
// verdict a key.
func TestNoCrookedTrieContradictsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trie := drawTrie(t, 0)
		asked := shortKeys().Draw(t, "asked")
		verdicts := map[string]bool{}
		for depth := range 6 {
			for _, key := range slices.Concat([]*hash{nil}, trie.keys()) {
				p, ok := trie.claim(asked, depth, key)
				if !ok {
					continue
				}
				value, present, err := prefixmap.Verify(trie.hash(), asked, p)
				if naive, naivePresent, ok := naiveVerify(trie.hash(), asked, p); ok != (err == nil) ||
					naive != value || naivePresent != present {
					t.Fatalf("verifies %x, %v, %v, the text says %x, %v, %v", value, present, err, naive, naivePresent, ok)
				}
				if err == nil {
					verdicts[string(value[:])] = present
				}
			}
		}
		if len(verdicts) > 1 {
			t.Fatalf("verdicts contradict each other: %v", verdicts)
		}
	})
}

// A trie is any binary tree of leaves, whether or not a map could have it.
type trie struct {
	left, right *trie
	leaf        *[2]hash
}

func drawTrie(t *rapid.T, depth int) *trie {
	t.Helper()
	switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
	case kind == 0:
		return nil
	case kind == 1 || depth == 5:
		return &trie{leaf: &[2]hash{shortKeys().Draw(t, "key"), {rapid.ByteRange(1, 9).Draw(t, "value")}}}
	default:
		return &trie{left: drawTrie(t, depth+1), right: drawTrie(t, depth+1)}
	}
}

// shortKeys draws keys that differ within the depth of a crooked trie.
func shortKeys() *rapid.Generator[hash] {
	return rapid.Map(rapid.ByteRange(0, 31), func(b byte) hash { return hash{b << 3} })
}

func (n *trie) hash() hash {
	switch {
	case n == nil:
		return hash{}
	case n.leaf != nil:
		return naiveLeaf(n.leaf[0], n.leaf[1])
	default:
		return naiveInner(n.left.hash(), n.right.hash())
	}
}

func (n *trie) keys() []*hash {
	switch {
	case n == nil:
		return nil
	case n.leaf != nil:
		return []*hash{&n.leaf[0]}
	default:
		return slices.Concat(n.left.keys(), n.right.keys())
	}
}

// claim returns the best proof a liar could make: the true siblings down to
// depth, then a leaf with that key and the value found there, if any.
func (n *trie) claim(asked hash, depth int, key *hash) (prefixmap.Proof, bool) {
	p := prefixmap.Proof{Key: key}
	for d := range depth {
		if n == nil || n.leaf != nil {
			return p, false
		}
		next, other := n.left, n.right
		if digit(asked, d) == '1' {
			next, other = other, next
		}
		p.Siblings = append(p.Siblings, other.hash())
		n = next
	}
	if key != nil {
		p.Value = &hash{1}
		if n != nil && n.leaf != nil {
			p.Value = &n.leaf[1]
		}
	}
	return p, true
}

// alter returns p with one thing changed.
func alter(t *rapid.T, m prefixmap.Map, p prefixmap.Proof) prefixmap.Proof {
	t.Helper()
	p.Siblings = slices.Clone(p.Siblings)
	other := m.Prove(keys().Draw(t, "other"))
	n := len(p.Siblings)
	ways := map[string]func(){
		"append empty":   func() { p.Siblings = append(p.Siblings, hash{}) },
		"append sibling": func() { p.Siblings = append(p.Siblings, values().Draw(t, "sibling")) },
		"prepend empty":  func() { p.Siblings = slices.Insert(p.Siblings, 0, hash{}) },
		"truncate":       func() { p.Siblings = p.Siblings[:rapid.IntRange(0, n).Draw(t, "to")] },
		"other path":     func() { p.Siblings = slices.Clone(other.Siblings) },
		"other leaf":     func() { p.Key, p.Value = other.Key, other.Value },
		"other proof":    func() { p = other },
		"no leaf":        func() { p.Key, p.Value = nil, nil },
		"no key":         func() { p.Key = nil },
		"no value":       func() { p.Value = nil },
		"any key":        func() { p.Key = new(keys().Draw(t, "key")) },
		"any value":      func() { p.Value = new(values().Draw(t, "value")) },
		"root as value":  func() { p.Value = new(m.Root()) },
		"root alone":     func() { p.Siblings = []hash{m.Root()} },
		"other sibling": func() {
			if n > 0 {
				p.Siblings[rapid.IntRange(0, n-1).Draw(t, "at")] = values().Draw(t, "sibling")
			}
		},
	}
	ways[rapid.SampledFrom(slices.Sorted(maps.Keys(ways))).Draw(t, "way")]()
	return p
}
