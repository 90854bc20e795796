package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

const maxOuterNesting = 32

// UnmarshalStrict decodes the unsigned outer JSON of a message into v. Beyond
// [encoding/json] it refuses, as [Malformed], repeated members and trailing
// data; unknown members are ignored, because newer programs may send them.
func UnmarshalStrict(b []byte, v any) error {
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

// checkNoDuplicates walks the tokens of exactly one JSON value. Member names
// are compared as they decode and, as encoding/json matches them, in any case.
func checkNoDuplicates(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	type level struct {
		names map[string]struct{} // nil in an array
		key   bool                // the next string is a member name
	}
	var stack []level
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return Refuse(Malformed, "reading JSON: %w", err)
		}
		if len(stack) > 0 && stack[len(stack)-1].key {
			if name, ok := token.(string); ok {
				top := &stack[len(stack)-1]
				folded := strings.ToLower(strings.ToUpper(name)) // as encoding/json folds
				if _, dup := top.names[folded]; dup {
					return Refuse(Malformed, "the member %q is repeated", clip(name))
				}
				top.names[folded] = struct{}{}
				top.key = false
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]struct{}{}, key: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
		if len(stack) > maxOuterNesting {
			return Refuse(Malformed, "JSON nested deeper than %d", maxOuterNesting)
		}
		if opened := token == json.Delim('{') || token == json.Delim('['); !opened && len(stack) > 0 && stack[len(stack)-1].names != nil {
			stack[len(stack)-1].key = true // a value ended; a name follows
		}
	}
}
