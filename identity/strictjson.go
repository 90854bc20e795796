package identity

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

const (
	maxOuterNesting = 32
	maxOuterMembers = 1 << 18 // of one object: beyond any bundle, answer or file of marks
)

// UnmarshalStrict decodes the unsigned outer JSON of a message into v. Beyond
// [encoding/json] it refuses, as [Malformed], trailing data, repeated members,
// members of v that are spelt in another case, and null for those of them that
// are neither pointers nor read it themselves; unknown members are ignored, because newer programs may send
// them.
func UnmarshalStrict(b []byte, v any) error {
	if !json.Valid(b) {
		return Refuse(Malformed, "not one JSON value")
	}
	if err := checkMembers(b, membersOf(reflect.TypeOf(v))); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		if CodeOf(err) != "" {
			return err
		}
		return Refuse(Malformed, "decoding JSON: %w", err)
	}
	return nil
}

// checkMembers walks b, which is valid JSON, and judges the member names of
// each object: against each other, and against those that the program knows.
func checkMembers(b []byte, known *members) error {
	var open []map[string]struct{} // the names of each open object; nil: an array
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			open = append(open, map[string]struct{}{})
		case '[':
			open = append(open, nil)
		case '}', ']':
			open = open[:len(open)-1]
		case '"':
			end := endOfString(b, i)
			if value := valueOf(b, end); value != 0 {
				if err := addName(open[len(open)-1], b[i:end], value == 'n', known); err != nil {
					return err
				}
			}
			i = end - 1
		}
		if len(open) > maxOuterNesting {
			return Refuse(Malformed, "JSON nested deeper than %d", maxOuterNesting)
		}
	}
	return nil
}

// endOfString returns the index behind the string that begins at start.
func endOfString(b []byte, start int) int {
	for i := start + 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// valueOf returns the first byte of the value of the member whose name ends at
// end, 0 if no colon follows, which only names have.
func valueOf(b []byte, end int) byte {
	named := false
	for ; end < len(b); end++ {
		switch c := b[end]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case named:
			return c
		case c != ':':
			return 0
		default:
			named = true
		}
	}
	return 0
}

func addName(names map[string]struct{}, quoted []byte, null bool, known *members) error {
	if len(names) == maxOuterMembers {
		return Refuse(Malformed, "an object of more than %d members", maxOuterMembers)
	}
	name, folded, err := unquoteName(quoted)
	if err != nil {
		return Refuse(Malformed, "decoding a member name: %w", err)
	}
	if _, dup := names[folded]; dup {
		return Refuse(Malformed, "the member %q is repeated", clip(name))
	}
	names[folded] = struct{}{}
	return known.check(name, null)
}

// unquoteName returns a member name as encoding/json decodes it, and as it
// folds it in search of its member. Most names are both as they stand.
func unquoteName(quoted []byte) (name, folded string, err error) {
	plain := func(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' }
	inner := quoted[1 : len(quoted)-1]
	if !slices.ContainsFunc(inner, func(c byte) bool { return !plain(c) }) {
		return string(inner), string(inner), nil
	}
	if err := json.Unmarshal(quoted, &name); err != nil {
		return "", "", err
	}
	return name, strings.ToLower(strings.ToUpper(name)), nil
}
