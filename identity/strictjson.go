package identity

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

const (
	maxOuterNesting = 32
	maxOuterMembers = 1 << 18 // of one object: beyond any bundle, answer or file of marks
	maxOuterEntries = 1 << 19 // of one array: beyond any list of services
)

// UnmarshalStrict decodes the unsigned outer JSON of a message into v. Beyond
// [encoding/json] it refuses, as [Malformed], trailing data, repeated members,
// members of v that are spelt in another case, null for those of them that are
// neither pointers nor read it themselves, and for those of type []byte or
// [][]byte, which hold DER, whatever is not standard padded base64. Unknown
// members are ignored, because newer programs may send them. A list of more than
// half a million entries, which can take many times its room on the wire, is
// [Limits].
func UnmarshalStrict(b []byte, v any) error {
	if !json.Valid(b) {
		return Refuse(Malformed, "not one JSON value")
	}
	if err := checkMembers(b, shapeOf(reflect.TypeOf(v), map[reflect.Type]*shape{})); err != nil {
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

// A level is one object or array that is open.
type level struct {
	array   bool
	known   *shape              // of itself
	inner   *shape              // of an entry, or of the member whose value comes next
	entries int                 // of an array
	names   map[string]struct{} // of an object; nil before the first
}

func newLevel(array bool, known *shape) level {
	l := level{array: array, known: known, entries: 1}
	if array && known != nil {
		l.inner = known.entry
	}
	return l
}

// checkMembers walks b, which is valid JSON, and judges the member names of
// each object: against each other, and against those that the program knows.
func checkMembers(b []byte, known *shape) error {
	var open []level
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			inner := known
			if len(open) > 0 {
				inner = open[len(open)-1].inner
			}
			open = append(open, newLevel(b[i] == '[', inner))
		case '}', ']':
			open = open[:len(open)-1]
		case ',':
			if top := &open[len(open)-1]; top.array {
				top.entries++
			}
		case '"':
			end := endOfString(b, i)
			if value := valueOf(b, end); value != nil {
				if err := open[len(open)-1].addMember(b[i:end], value); err != nil {
					return err
				}
			}
			i = end - 1
		}
		if len(open) > maxOuterNesting {
			return Refuse(Malformed, "JSON nested deeper than %d", maxOuterNesting)
		}
		if len(open) > 0 && open[len(open)-1].entries > maxOuterEntries {
			return Refuse(Limits, "a list of more than %d entries", maxOuterEntries)
		}
	}
	return nil
}

// endOfString returns the index behind the string that begins at start.
func endOfString(b []byte, start int) int {
	begin := start + 1
	quote := begin + bytes.IndexByte(b[begin:], '"')
	escape := bytes.IndexByte(b[begin:quote], '\\')
	if escape < 0 {
		return quote + 1
	}
	for i := begin + escape; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// valueOf returns b from the value of the member on whose name ends at end; nil
// if no colon follows, which only names have.
func valueOf(b []byte, end int) []byte {
	named := false
	for ; end < len(b); end++ {
		switch c := b[end]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case named:
			return b[end:]
		case c != ':':
			return nil
		default:
			named = true
		}
	}
	return nil
}

// addMember judges one member of an object: its name, and of its value, with
// which the slice begins, what encoding/json is too patient with.
func (l *level) addMember(quoted, value []byte) error {
	if len(l.names) == maxOuterMembers {
		return Refuse(Malformed, "an object of more than %d members", maxOuterMembers)
	}
	name, folded, err := unquoteName(quoted)
	if err != nil {
		return Refuse(Malformed, "decoding a member name: %w", err)
	}
	if _, dup := l.names[folded]; dup {
		return Refuse(Malformed, "the member %q is repeated", clip(name))
	}
	if l.names == nil {
		l.names = map[string]struct{}{}
	}
	l.names[folded] = struct{}{}
	m, err := l.known.check(name, value[0] == 'n')
	l.inner = m.value
	if err != nil || m.der == 0 {
		return err
	}
	if err := checkDER(value, m.der == 2); err != nil {
		return Refuse(Malformed, "the member %q: %w", clip(name), err)
	}
	return nil
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
