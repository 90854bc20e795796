package identity

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// members are the names that the structs within a type give to their members.
// encoding/json would accept any spelling that folds to one of them; whoever
// compares names byte for byte would not see that member.
type members struct {
	known   []member
	structs []reflect.Type // that were walked
}

type member struct {
	name     string
	nullable bool // null has a meaning, or the type judges it by itself
}

// check refuses the name of a known member in another spelling, and null for
// one that cannot be absent in that way.
func (m *members) check(name string, null bool) error {
	like := false
	for _, k := range m.known {
		if k.name == name && (!null || k.nullable) {
			return nil
		}
		like = like || strings.EqualFold(k.name, name)
	}
	if like {
		return Refuse(Malformed, "the member %q is null or spelt in another case", clip(name))
	}
	return nil
}

func membersOf(t reflect.Type) *members {
	m := &members{}
	m.add(t)
	return m
}

func (m *members) add(t reflect.Type) {
	if decodesItself(t) {
		return
	}
	switch t.Kind() { //nolint:exhaustive // all the others hold no members
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		m.add(t.Elem())
	case reflect.Struct:
		if slices.Contains(m.structs, t) {
			return
		}
		m.structs = append(m.structs, t)
		for field := range t.Fields() {
			m.addField(field)
		}
	}
}

func (m *members) addField(field reflect.StructField) {
	tag := field.Tag.Get("json")
	if tag == "-" || !field.IsExported() && !field.Anonymous {
		return
	}
	name, _, _ := strings.Cut(tag, ",")
	if name != "" || !field.Anonymous { // else its members are those of the struct around it
		m.known = append(m.known, member{cmp.Or(name, field.Name), takesNull(field.Type)})
	}
	m.add(field.Type)
}

func takesNull(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return true
	}
	return t.PkgPath() != "" && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// decodesItself reports whether a type reads its JSON in its own way.
func decodesItself(t reflect.Type) bool {
	if t.PkgPath() == "" {
		return false // only a type with a name has methods
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
