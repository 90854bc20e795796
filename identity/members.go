package identity

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// A shape is what the program knows of one place in a document. encoding/json
// would accept any spelling of a name that folds to a known one; whoever
// compares names byte for byte would not see that member.
type shape struct {
	members []member // of a struct; of all else names are free
	entry   *shape   // of a list or map
}

type member struct {
	name     string
	nullable bool   // null has a meaning, or the type judges it by itself
	der      int    // 0: no bytes; 1: bytes; 2: a list of such
	value    *shape // nil: the program does not look into it, or does so by itself
}

// check returns the known member of a name, zero if it is unknown. It refuses
// the name in another spelling, and null for a member that cannot be absent in
// that way. Of nil everything is unknown.
func (s *shape) check(name string, null bool) (member, error) {
	if s == nil {
		return member{}, nil
	}
	like := false
	for _, k := range s.members {
		if k.name == name && (!null || k.nullable) {
			return k, nil
		}
		like = like || strings.EqualFold(k.name, name)
	}
	if like {
		return member{}, Refuse(Malformed, "the member %q is null or spelt in another case", clip(name))
	}
	return member{value: s.entry}, nil
}

// shapeOf returns the shape of a type. Seen are those of the structs around it.
func shapeOf(t reflect.Type, seen map[reflect.Type]*shape) *shape {
	if decodesItself(t) {
		return nil
	}
	switch t.Kind() { //nolint:exhaustive // all the others hold no members
	case reflect.Pointer:
		return shapeOf(t.Elem(), seen)
	case reflect.Slice, reflect.Array, reflect.Map:
		return &shape{entry: shapeOf(t.Elem(), seen)}
	case reflect.Struct:
		if known := seen[t]; known != nil {
			return known
		}
		s := &shape{}
		seen[t] = s
		for field := range t.Fields() {
			s.addField(field, seen)
		}
		return s
	}
	return nil
}

func (s *shape) addField(field reflect.StructField, seen map[reflect.Type]*shape) {
	tag := field.Tag.Get("json")
	if tag == "-" || !field.IsExported() && !field.Anonymous {
		return
	}
	value := shapeOf(field.Type, seen)
	name, _, _ := strings.Cut(tag, ",")
	if name == "" && field.Anonymous && value != nil {
		s.members = append(s.members, value.members...) // they are those of the struct around it
		return
	}
	s.members = append(s.members, member{cmp.Or(name, field.Name), takesNull(field.Type), depthOfDER(field.Type), value})
}

func takesNull(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return true
	}
	return t.PkgPath() != "" && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// depthOfDER returns 1 for []byte, 2 for a list of those, 0 for all else.
func depthOfDER(t reflect.Type) int {
	switch t {
	case reflect.TypeFor[[]byte]():
		return 1
	case reflect.TypeFor[[][]byte]():
		return 2
	}
	return 0
}

// decodesItself reports whether a type reads its JSON in its own way.
func decodesItself(t reflect.Type) bool {
	if t.PkgPath() == "" {
		return false // only a type with a name has methods
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
