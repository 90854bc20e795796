package identity

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

const (
	maxNesting = 4
	maxInteger = 1<<53 - 1
)

// MarshalCanonical encodes v in the canonical form of signed payloads
// (docs/protocol.md section 3; RFC 8785 restricted to objects, arrays, strings,
// booleans and integers). The fields of its structs must be declared in the
// order of their JSON names. It fails with [Malformed] if v holds what a
// payload must not: null, a fraction, a forbidden character.
func MarshalCanonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, Refuse(Malformed, "encoding a payload: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if err := CheckCanonical(out); err != nil {
		return nil, err
	}
	return out, nil
}

// UnmarshalCanonical decodes a canonical payload into v, a pointer to a struct
// that names every member. A payload that is not, byte for byte, what
// [MarshalCanonical] makes of v afterwards is [Malformed]: so an unknown,
// missing, repeated or differently spelt member cannot pass.
func UnmarshalCanonical(payload []byte, v any) error {
	if err := CheckCanonical(payload); err != nil {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		if CodeOf(err) != "" {
			return err // a name or hash inside said what is wrong
		}
		return Refuse(Malformed, "decoding a payload: %w", err)
	}
	again, err := MarshalCanonical(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, payload) {
		return Refuse(Malformed, "the payload's members are not exactly those of its type")
	}
	return nil
}

// CheckCanonical reports whether b is one canonical JSON value: no white
// space, no null, keys ASCII and strictly ascending, integers 0 … 2^53−1
// without sign or leading zero, strings without needless escapes and without
// forbidden characters, nesting of at most 4. A failure is [Malformed].
func CheckCanonical(b []byte) error {
	s := scanner{rest: b}
	if err := s.value(0); err != nil {
		return err
	}
	if len(s.rest) != 0 {
		return Refuse(Malformed, "trailing data after the payload")
	}
	return nil
}

// A scanner walks canonical JSON from the front.
type scanner struct{ rest []byte }

func (s *scanner) value(depth int) error {
	if len(s.rest) == 0 {
		return Refuse(Malformed, "the payload ends early")
	}
	switch c := s.rest[0]; {
	case c == '{' || c == '[':
		if depth == maxNesting {
			return Refuse(Malformed, "nested deeper than %d", maxNesting)
		}
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case c == '"':
		_, err := s.str()
		return err
	case c >= '0' && c <= '9':
		return s.integer()
	case s.skip("true") || s.skip("false"):
		return nil
	}
	return Refuse(Malformed, "neither object, array, string, integer nor boolean")
}

func (s *scanner) object(depth int) error {
	s.rest = s.rest[1:]
	if s.skip("}") {
		return nil
	}
	for last, first := "", true; ; first = false {
		key, err := s.str()
		if err != nil {
			return err
		}
		if !isASCII(key) || (!first && key <= last) {
			return Refuse(Malformed, "member %q repeated, out of order or not ASCII", clip(key))
		}
		last = key
		if !s.skip(":") {
			return Refuse(Malformed, "a member without value")
		}
		if err := s.value(depth); err != nil {
			return err
		}
		if s.skip("}") {
			return nil
		}
		if !s.skip(",") {
			return Refuse(Malformed, "an object that does not end")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.rest = s.rest[1:]
	if s.skip("]") {
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		if s.skip("]") {
			return nil
		}
		if !s.skip(",") {
			return Refuse(Malformed, "an array that does not end")
		}
	}
}

// integer reads 0 or [1-9][0-9]{0,15} up to 2^53−1.
func (s *scanner) integer() error {
	n, digits := uint64(0), 0
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' && digits <= 16 {
		n = n*10 + uint64(s.rest[digits]-'0')
		digits++
	}
	if digits > 16 || n > maxInteger || (digits > 1 && s.rest[0] == '0') {
		return Refuse(Malformed, "an integer is 0 to 2^53-1 without leading zeros")
	}
	s.rest = s.rest[digits:]
	return nil
}

// str reads a string. In canonical form only the quote and the backslash are
// escaped, because every character that JCS would escape otherwise is forbidden.
func (s *scanner) str() (string, error) {
	if len(s.rest) == 0 || s.rest[0] != '"' {
		return "", Refuse(Malformed, "a string was expected")
	}
	var out []byte
	for i := 1; i < len(s.rest); {
		c := s.rest[i]
		if c == '"' {
			s.rest = s.rest[i+1:]
			return string(out), nil
		}
		if c == '\\' {
			if i+1 == len(s.rest) || (s.rest[i+1] != '"' && s.rest[i+1] != '\\') {
				return "", Refuse(Malformed, "a needless or forbidden escape in a string")
			}
			out = append(out, s.rest[i+1])
			i += 2
			continue
		}
		r, size := utf8.DecodeRune(s.rest[i:])
		if (r == utf8.RuneError && size == 1) || isForbidden(r) {
			return "", Refuse(Malformed, "a string holds invalid UTF-8 or the forbidden character U+%04X", r)
		}
		out = append(out, s.rest[i:i+size]...)
		i += size
	}
	return "", Refuse(Malformed, "a string that does not end")
}

func (s *scanner) skip(token string) bool {
	if !bytes.HasPrefix(s.rest, []byte(token)) {
		return false
	}
	s.rest = s.rest[len(token):]
	return true
}

// isForbidden holds the characters that no signed string may contain: controls,
// line separators, the byte-order mark, bidirectional overrides, non-characters.
func isForbidden(r rune) bool {
	switch {
	case r <= 0x1F, r >= 0x7F && r <= 0x9F:
		return true
	case r == 0x2028, r == 0x2029, r == 0xFEFF:
		return true
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	case r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
		return true
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
