package identity

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// members are the names that the structs within a type give to their members,
// by how [fold] maps them. encoding/json would accept any spelling that folds to
// one of them; whoever compares names byte for byte would not see that member.
type members map[string][]member

type member struct {
	name     string
	nullable bool // null has a meaning, or the type judges it by itself
}

// check refuses the name of a known member in another spelling, and null for
// one that cannot be absent in that way.
func (m members) check(name, folded string, null bool) error {
	known := m[folded]
	for _, k := range known {
		if k.name == name && (!null || k.nullable) {
			return nil
		}
	}
	if len(known) != 0 {
		return Refuse(Malformed, "the member %q is null or spelt in another case", clip(name))
	}
	return nil
}

func membersOf(t reflect.Type) members {
	m := members{}
	m.add(t, map[reflect.Type]bool{})
	return m
}

func (m members) add(t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		if decodesItself(t) {
			return
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || decodesItself(t) {
		return
	}
	seen[t] = true
	for field := range t.Fields() {
		if field.Tag.Get("json") == "-" || !field.IsExported() && !field.Anonymous {
			continue
		}
		m.addField(field)
		m.add(field.Type, seen)
	}
}

func (m members) addField(field reflect.StructField) {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" && field.Anonymous {
		return // its members are those of the struct around it
	}
	if name == "" {
		name = field.Name
	}
	m[fold(name)] = append(m[fold(name)], member{name, takesNull(field.Type)})
}

func takesNull(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// decodesItself reports whether a type reads its JSON in its own way.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
