package prefixmap

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"sort"
)

// A node is one subtree; nil is the empty one. Nodes never change once made,
// which is what makes a [Map] safe to share.
type node struct {
	hash        [32]byte
	count       int    // leaves below, the node itself included
	leaf        *entry // nil in an inner node
	left, right *node  // both nil in a leaf
}

type entry struct{ key, value [32]byte }

func newLeaf(key, value [32]byte) *node {
	return &node{hash: hashLeaf(key, value), count: 1, leaf: &entry{key, value}}
}

// join returns the subtree of two halves. A subtree of one leaf is that leaf,
// however deep it was.
func join(left, right *node) *node {
	count := left.len() + right.len()
	switch {
	case count > 1:
		return &node{hash: hashInner(left.sum(), right.sum()), count: count, left: left, right: right}
	case left != nil:
		return left
	default:
		return right
	}
}

func (n *node) isInner() bool { return n != nil && n.leaf == nil }

func (n *node) len() int {
	if n == nil {
		return 0
	}
	return n.count
}

func (n *node) sum() [32]byte {
	if n == nil {
		return [32]byte{}
	}
	return n.hash
}

// step returns the half of an inner node at depth that key leads to, then the
// other half.
func (n *node) step(key [32]byte, depth int) (next, other *node) {
	if bit(key, depth) == 0 {
		return n.left, n.right
	}
	return n.right, n.left
}

// update returns the subtree at depth with the changes made. They are sorted,
// have distinct keys, all of which lead to this subtree. What does not change
// keeps its nodes.
func (n *node) update(changes []Change, depth int) *node {
	if len(changes) == 0 {
		return n
	}
	if !n.isInner() {
		return build(n.merge(changes), depth)
	}
	half := sort.Search(len(changes), func(i int) bool { return bit(changes[i].Key, depth) == 1 })
	left := n.left.update(changes[:half], depth+1)
	right := n.right.update(changes[half:], depth+1)
	if left == n.left && right == n.right {
		return n
	}
	return join(left, right)
}

// merge returns the leaves, sorted by key, that an empty subtree or a leaf
// becomes by the changes.
func (n *node) merge(changes []Change) []*node {
	leaves := make([]*node, 0, len(changes)+1)
	if n != nil {
		leaves = append(leaves, n)
	}
	for _, c := range changes {
		i, found := slices.BinarySearchFunc(leaves, c.Key, func(l *node, key [32]byte) int {
			return bytes.Compare(l.leaf.key[:], key[:])
		})
		switch {
		case found && c.Delete:
			leaves = slices.Delete(leaves, i, i+1)
		case found && leaves[i].leaf.value != c.Value:
			leaves[i] = newLeaf(c.Key, c.Value)
		case !found && !c.Delete:
			leaves = slices.Insert(leaves, i, newLeaf(c.Key, c.Value))
		}
	}
	return leaves
}

// build returns the subtree at depth of leaves sorted by key.
func build(leaves []*node, depth int) *node {
	switch len(leaves) {
	case 0:
		return nil
	case 1:
		return leaves[0]
	}
	half := sort.Search(len(leaves), func(i int) bool { return bit(leaves[i].leaf.key, depth) == 1 })
	return join(build(leaves[:half], depth+1), build(leaves[half:], depth+1))
}

func hashLeaf(key, value [32]byte) [32]byte { return hashPair(0x02, key, value) }

func hashInner(left, right [32]byte) [32]byte { return hashPair(0x03, left, right) }

// hashPair keeps leaves apart from inner nodes by their first byte.
func hashPair(kind byte, a, b [32]byte) [32]byte {
	var buf [65]byte
	buf[0] = kind
	copy(buf[1:], a[:])
	copy(buf[33:], b[:])
	return sha256.Sum256(buf[:])
}

// bit returns bit d of key, counting from the most significant.
func bit(key [32]byte, d int) byte { return key[d/8] >> (7 - d%8) & 1 }
