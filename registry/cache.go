package registry

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neurons-me/netget/registry/catalog"
)

const (
	maxCacheAge   = 5 * time.Second // no answer is older when it is sent
	maxCacheBytes = 64 << 20        // of one network, about
)

// A cache keeps what was encoded of a network. An answer has two parts: the
// body (records, certificates, heartbeats), which many versions share, and the
// seal of one version. All bodies are forgotten together at the end of a turn.
type cache struct {
	mu      sync.Mutex
	began   time.Time           // guarded by mu; of the turn
	entries map[cacheKey]*entry // guarded by mu
	bytes   atomic.Int64
	links   links
}

// A cacheKey says what was encoded: of which service, in which form.
type cacheKey struct {
	form    form
	service string
}

// A form is a kind of document about services.
type form int

const (
	answerForm  form = iota + 1
	refreshForm      // heartbeats alone
	listForm         // all services
)

// closing ends an object.
const closing = "}"

func newCache() *cache { return &cache{entries: map[cacheKey]*entry{}} }

// An entry is one document, encoded but for its seal.
type entry struct {
	of any // what the body was made of: valid while that is the same

	once   sync.Once
	body   []byte // without the closing brace
	failed error
	packed func() (packed, error)
	latest atomic.Pointer[sealed]
}

// A sealed is what is sent of an entry under one head. Its parts share the body
// of the entry unless it is short: a response that is read slowly would keep a
// copy of its version alive.
type sealed struct {
	snapshot *catalog.Snapshot
	tail     []byte // without the closing brace
	plain    [][]byte
	gzip     func() ([][]byte, error)
}

// entry returns what is cached under a key, made of the very thing that counts
// now, or a new entry. Nil things are absent services, of which there is no
// end: they are not kept.
func (c *cache) entry(key cacheKey, of any, now time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.began); age >= maxCacheAge || age < 0 || c.bytes.Load() > maxCacheBytes {
		c.began, c.entries = now, map[cacheKey]*entry{}
		c.bytes.Store(0)
	}
	known := c.entries[key]
	if known == nil || known.of != of {
		known = &entry{of: of}
		c.entries[key] = known
	}
	return known
}

var errNotEncoded = errors.New("the answer could not be encoded")

// fill encodes the body, once.
func (e *entry) fill(c *cache, encode func() ([]byte, error)) error {
	e.once.Do(func() {
		e.failed = errNotEncoded // whoever comes after a panic shall not take nothing for the body
		if e.body, e.failed = encode(); e.failed != nil {
			return
		}
		c.bytes.Add(int64(len(e.body)))
		e.packed = sync.OnceValues(func() (packed, error) {
			p, err := pack(e.body)
			c.bytes.Add(int64(len(p.begin)))
			return p, err
		})
	})
	return e.failed
}

// under returns what the entry gets under the head of s.
func (e *entry) under(c *cache, s *catalog.Snapshot, tail func() ([]byte, error)) (*sealed, error) {
	if known := e.latest.Load(); known != nil && known.snapshot == s {
		return known, nil
	}
	end, err := tail()
	if err != nil {
		return nil, err
	}
	made := &sealed{snapshot: s, tail: end, plain: joined(e.body, end, []byte(closing))}
	made.gzip = sync.OnceValues(func() ([][]byte, error) {
		p, err := e.packed()
		if err != nil {
			return nil, err
		}
		parts := joined(p.begin, p.end(end, []byte(closing)))
		c.bytes.Add(unshared(parts))
		return parts, nil
	})
	c.bytes.Add(unshared(made.plain))
	e.latest.Store(made)
	return made, nil
}
