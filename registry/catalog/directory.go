package catalog

import (
	"cmp"
	"hash/fnv"
	"iter"
	"slices"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
)

// directoryShards bounds what a change copies: the shards' headers, and the
// shelves of one shard.
const directoryShards = 512

// A directory is all services by name. It is immutable: with yields another one
// that shares every untouched shard.
type directory struct {
	shards *[directoryShards][]shelf // each sorted by name; nil: empty
}

// A shelf is one service with the size of its answer. The zero shelf is absent.
type shelf struct {
	service *discovery.Service
	bytes   int64
}

func (sh shelf) name() string { return sh.service.Name() }

// get returns a service's shelf, the zero shelf if there is none.
func (d directory) get(name string) shelf {
	if d.shards == nil {
		return shelf{}
	}
	shard := d.shards[shardOf(name)]
	if i, found := findShelf(shard, name); found {
		return shard[i]
	}
	return shelf{}
}

// all yields every shelf, in no order.
func (d directory) all() iter.Seq[shelf] {
	return func(yield func(shelf) bool) {
		if d.shards == nil {
			return
		}
		for _, shard := range d.shards {
			for _, sh := range shard {
				if !yield(sh) {
					return
				}
			}
		}
	}
}

// with returns the directory with services put, or removed where the shelf is
// the zero one.
func (d directory) with(changes map[string]shelf) directory {
	var shards [directoryShards][]shelf
	if d.shards != nil {
		shards = *d.shards
	}
	var own [directoryShards]bool
	for name, sh := range changes {
		n := shardOf(name)
		if !own[n] {
			shards[n], own[n] = slices.Clone(shards[n]), true
		}
		i, found := findShelf(shards[n], name)
		switch {
		case sh.service == nil && found:
			shards[n] = slices.Delete(shards[n], i, i+1)
		case sh.service == nil:
		case found:
			shards[n][i] = sh
		default:
			shards[n] = slices.Insert(shards[n], i, sh)
		}
	}
	return directory{&shards}
}

func findShelf(shard []shelf, name string) (int, bool) {
	return slices.BinarySearchFunc(shard, name, func(sh shelf, name string) int { return cmp.Compare(sh.name(), name) })
}

func shardOf(name string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum32() % directoryShards
}

// answerBytes bounds from above what one record adds to its service's answer.
func answerBytes(s *identity.Statement) int64 {
	const around = 256 // the members' names, status, since and heartbeat
	return int64(len(s.Token())) + base64Bytes(len(s.Certificate().Leaf().Raw)) + around
}

func base64Bytes(n int) int64 { return int64((n + 2) / 3 * 4) }
