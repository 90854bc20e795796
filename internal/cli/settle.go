package cli

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"
)

// settle returns a copy of v that encoding/json writes by the rules of
// docs/cli.md, "Output": no null for an empty list or map, times in UTC with
// whole seconds. Values that encode themselves, and unexported fields, are
// left as they are.
func settle(v reflect.Value) reflect.Value {
	if !v.IsValid() {
		return v
	}
	switch x := v.Interface().(type) { // before the next check: times encode themselves
	case time.Time:
		return reflect.ValueOf(x.UTC().Truncate(time.Second))
	case *time.Time:
		return settleElem(v)
	}
	if encodesItself(v.Type()) {
		return v
	}
	switch v.Kind() { //nolint:exhaustive // scalars stay as they are
	case reflect.Pointer, reflect.Interface:
		return settleElem(v)
	case reflect.Struct:
		return settleFields(v)
	case reflect.Slice:
		return settleSlice(v)
	case reflect.Array:
		return settleItems(reflect.New(v.Type()).Elem(), v)
	case reflect.Map:
		return settleMap(v)
	}
	return v
}

func encodesItself(t reflect.Type) bool {
	return t.Kind() != reflect.Interface &&
		(t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()))
}

func settleElem(v reflect.Value) reflect.Value {
	if v.IsNil() {
		return v
	}
	if v.Kind() == reflect.Interface {
		return settle(v.Elem())
	}
	p := reflect.New(v.Type().Elem())
	p.Elem().Set(settle(v.Elem()))
	return p.Convert(v.Type())
}

func settleFields(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	settleInPlace(c)
	return c
}

// settleInPlace settles the fields of a struct that can be set. An embedded
// struct is gone into also when its type is unexported: encoding/json does.
func settleInPlace(c reflect.Value) {
	for i := range c.NumField() {
		field, about := c.Field(i), c.Type().Field(i)
		switch {
		case about.IsExported() && !isNilElem(field):
			field.Set(settle(field))
		case about.Anonymous && field.Kind() == reflect.Struct:
			settleInPlace(field)
		}
	}
}

func isNilElem(v reflect.Value) bool {
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil()
}

func settleSlice(v reflect.Value) reflect.Value {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.IsNil() {
			return reflect.MakeSlice(v.Type(), 0, 0)
		}
		return v
	}
	return settleItems(reflect.MakeSlice(v.Type(), v.Len(), v.Len()), v)
}

func settleItems(c, v reflect.Value) reflect.Value {
	for i := range v.Len() {
		if item := v.Index(i); !isNilElem(item) {
			c.Index(i).Set(settle(item))
		}
	}
	return c
}

func settleMap(v reflect.Value) reflect.Value {
	c := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		value := it.Value()
		if !isNilElem(value) {
			value = settle(value)
		}
		c.SetMapIndex(it.Key(), value)
	}
	return c
}
