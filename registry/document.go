package registry

import (
	"slices"

	"github.com/neurons-me/netget/registry/catalog"
)

// maxJoined is up to which length a document is kept and sent in one piece: one
// write costs less than a copy.
const maxJoined = 12 << 10

// joined returns the parts of a document, as one if they are short.
func joined(parts ...[]byte) [][]byte {
	if lengthOf(parts) > maxJoined {
		return parts
	}
	return [][]byte{slices.Concat(parts...)}
}

func lengthOf(parts [][]byte) int {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	return length
}

// unshared returns the bytes that a document does not share with its entry.
func unshared(parts [][]byte) int64 {
	if len(parts) == 1 {
		return int64(len(parts[0]))
	}
	return int64(lengthOf(parts[1:]))
}

// minGzip is from which length of the body on an answer is compressed: below
// it costs more than it saves, and absent services have short ones.
const minGzip = 1 << 10

// A document is an encoded answer that is ready to be sent, in parts.
type document struct {
	parts   [][]byte
	gzipped bool
}

// document returns the entry under the head of s, with the consistency proof
// that a caller needs who knows version from.
func (e *entry) document(c *cache, s *catalog.Snapshot, tail func() ([]byte, error), from int64, gzip bool) (document, error) {
	made, err := e.under(c, s, tail)
	if err != nil {
		return document{}, err
	}
	extra, err := c.links.get(s, from)
	if err != nil {
		return document{}, err
	}
	gzip = gzip && len(e.body) >= minGzip
	switch {
	case !gzip && extra == nil:
		return document{made.plain, false}, nil
	case !gzip:
		return document{joined(e.body, made.tail, extra, []byte(closing)), false}, nil
	case extra == nil:
		parts, err := made.gzip()
		return document{parts, true}, err
	}
	p, err := e.packed()
	if err != nil {
		return document{}, err
	}
	return document{joined(p.begin, p.end(made.tail, extra, []byte(closing))), true}, nil
}
