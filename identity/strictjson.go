package identity

import (
	"encoding/json"
	"strings"
)

const maxOuterNesting = 32

// UnmarshalStrict decodes the unsigned outer JSON of a message into v. Beyond
// [encoding/json] it refuses, as [Malformed], repeated members and trailing
// data; unknown members are ignored, because newer programs may send them.
func UnmarshalStrict(b []byte, v any) error {
	if !json.Valid(b) {
		return Refuse(Malformed, "not one JSON value")
	}
	if err := checkNoDuplicates(b); err != nil {
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

// checkNoDuplicates walks b, which is valid JSON, and compares the member names
// of each object as encoding/json would match them: decoded, in any case.
func checkNoDuplicates(b []byte) error {
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
			if isName(b, end) {
				if err := addName(open[len(open)-1], b[i:end]); err != nil {
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

// isName reports whether a colon follows, which only member names have.
func isName(b []byte, end int) bool {
	for ; end < len(b); end++ {
		switch b[end] {
		case ' ', '\t', '\r', '\n':
		default:
			return b[end] == ':'
		}
	}
	return false
}

func addName(names map[string]struct{}, quoted []byte) error {
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return Refuse(Malformed, "decoding a member name: %w", err)
	}
	folded := strings.ToLower(strings.ToUpper(name)) // as encoding/json folds
	if _, dup := names[folded]; dup {
		return Refuse(Malformed, "the member %q is repeated", clip(name))
	}
	names[folded] = struct{}{}
	return nil
}
