package scripttest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// matchJSON compares one value of a JSON document.
func matchJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 2 || len(args) == 4, "[!] json FILE PATH [==|!=|~|len VALUE]")
	value, err := find(ts.ReadFile(args[0]), args[1])
	ok := err == nil
	if ok && len(args) == 4 {
		ok = compare(ts, value, args[2], args[3])
	}
	if ok == neg {
		ts.Fatalf("%s %q: %s, error %v", args[0], args[1:], text(value), err)
	}
}

// keepJSON puts one value into the environment.
func keepJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "jsonenv NAME FILE PATH")
	value, err := find(ts.ReadFile(args[1]), args[2])
	ts.Check(err)
	ts.Setenv(args[0], text(value))
}

func compare(ts *testscript.TestScript, value any, op, want string) bool {
	switch op {
	case "==":
		return text(value) == want
	case "!=":
		return text(value) != want
	case "~":
		return expression(ts, want).MatchString(text(value))
	case "len":
		return strconv.Itoa(length(value)) == want
	}
	ts.Fatalf("unknown comparison %q", op)
	return false
}

// find returns the value at a path such as .nodes[0].endpoints[-1].port.
func find(document, path string) (any, error) {
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	steps := regexp.MustCompile(`\.[A-Za-z0-9_-]+|\[-?[0-9]+\]`)
	if rest := steps.ReplaceAllString(path, ""); rest != "" && rest != "." {
		return nil, fmt.Errorf("the path %q is not of the form .a.b[0]", path)
	}
	for _, step := range steps.FindAllString(path, -1) {
		var ok bool
		if value, ok = enter(value, step); !ok {
			return nil, fmt.Errorf("%s: there is no %s", path, step)
		}
	}
	return value, nil
}

// enter takes one step of a path.
func enter(value any, step string) (any, bool) {
	if name, ok := strings.CutPrefix(step, "."); ok {
		object, _ := value.(map[string]any)
		member, ok := object[name]
		return member, ok
	}
	list, _ := value.([]any)
	index, err := strconv.Atoi(strings.Trim(step, "[]"))
	if index < 0 {
		index += len(list)
	}
	if err != nil || index < 0 || index >= len(list) {
		return nil, false
	}
	return list[index], true
}

// text is a string as it is, and anything else as JSON.
func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// length counts the members of a list or object, or the bytes of a string; it
// is -1 for what has none.
func length(value any) int {
	switch v := value.(type) {
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	case string:
		return len(v)
	}
	return -1
}
