package spoil

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// A span is one value of a document: its text lies in [start, end), with its
// member name, if it has one, in [name, end).
type span struct{ name, start, end int }

// JSON returns doc with one value changed. place chooses the value, counted
// around; way chooses what happens to it: replaced by with, removed, doubled,
// exchanged with another value, overwritten by it, a byte of its text turned,
// or with inserted before it. For the other value, or the byte, with begins
// with its number. A doc that is not JSON comes back as it is.
func JSON(doc []byte, place uint16, way byte, with []byte) []byte {
	spans := spansOf(doc)
	if len(spans) == 0 {
		return doc
	}
	at := spans[int(place)%len(spans)]
	other := spans[number(with)%len(spans)]
	text := doc[at.start:at.end]
	switch way % 7 {
	case 0:
		return splice(doc, at.start, at.end, with)
	case 1:
		return remove(doc, at)
	case 2:
		return splice(doc, at.end, at.end, append([]byte(","), doc[at.name:at.end]...))
	case 3:
		return exchange(doc, at, other)
	case 4:
		return splice(doc, at.start, at.end, doc[other.start:other.end])
	case 5:
		turned := bytes.Clone(text)
		if len(with) > 2 {
			turned[number(with)%len(turned)] ^= with[2]
		}
		return splice(doc, at.start, at.end, turned)
	}
	return splice(doc, at.name, at.name, with)
}

// number returns the first two bytes of b as a number.
func number(b []byte) int {
	var two [2]byte
	copy(two[:], b)
	return int(binary.BigEndian.Uint16(two[:]))
}

func splice(doc []byte, start, end int, with []byte) []byte {
	return slices.Concat(doc[:start], with, doc[end:])
}

// remove takes a value out, with its name and one comma.
func remove(doc []byte, at span) []byte {
	if at.end < len(doc) && doc[at.end] == ',' {
		return splice(doc, at.name, at.end+1, nil)
	}
	if at.name > 0 && doc[at.name-1] == ',' {
		return splice(doc, at.name-1, at.end, nil)
	}
	return splice(doc, at.name, at.end, nil)
}

// exchange puts two values in each other's place, unless one holds the other.
func exchange(doc []byte, a, b span) []byte {
	if a.start > b.start {
		a, b = b, a
	}
	if b.start < a.end {
		return doc
	}
	return slices.Concat(doc[:a.start], doc[b.start:b.end], doc[a.end:b.start], doc[a.start:a.end], doc[b.end:])
}

// spansOf returns the values of a document in the order of their beginnings.
func spansOf(doc []byte) []span {
	if !json.Valid(doc) {
		return nil
	}
	var spans []span
	var open []int // the spans of the objects and arrays around
	name := -1     // where the name of the next value begins
	add := func(start, end int) {
		s := span{start, start, end}
		if name >= 0 {
			s.name = name
		}
		name = -1
		spans = append(spans, s)
	}
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
		case '{', '[':
			add(i, len(doc))
			open = append(open, len(spans)-1)
		case '}', ']':
			spans[open[len(open)-1]].end = i + 1
			open = open[:len(open)-1]
		default:
			end := endOf(doc, i)
			if c == '"' && isName(doc, end) {
				name = i
			} else {
				add(i, end)
			}
			i = end - 1
		}
	}
	return spans
}

// endOf returns the index behind the string, number or word that begins at start.
func endOf(doc []byte, start int) int {
	if doc[start] != '"' {
		if n := bytes.IndexAny(doc[start:], " \t\r\n,]}"); n >= 0 {
			return start + n
		}
		return len(doc)
	}
	for i := start + 1; ; i++ {
		switch doc[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// isName reports whether a colon follows, as it does behind names alone.
func isName(doc []byte, end int) bool {
	rest := bytes.TrimLeft(doc[end:], " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}
