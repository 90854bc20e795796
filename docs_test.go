package netget_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every claim of these pages stands in the row of a table and names in its last
// cell what shows it: tests by their package and name, or a target of make.
func TestDocumentedClaimsNameWhatShowsThem(t *testing.T) {
	targets := makeTargets(t)
	for _, page := range []string{"docs/threat-model.md", "docs/guarantees.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		claims := 0
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(strings.Trim(line, "| \n"), " | ")
			if !strings.HasPrefix(line, "| ") || strings.HasSuffix(cells[len(cells)-1], "shown by") {
				continue
			}
			claims++
			shown := quoted(cells[len(cells)-1])
			if len(shown) == 0 {
				t.Errorf("%s: nothing shows that %s", page, line)
			}
			for _, name := range shown {
				if target, ok := strings.CutPrefix(name, "make "); ok && targets[target] {
					continue
				}
				if !testExists(t, name) {
					t.Errorf("%s: there is no %s", page, name)
				}
			}
		}
		if claims == 0 {
			t.Errorf("%s claims nothing", page)
		}
	}
}

// quoted returns what stands between back-quotes.
func quoted(text string) []string {
	var found []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// testExists looks for a test by its package's folder and its name, such as
// "registry/catalog.TestHeartbeats"; the root package has no folder.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	dir, test, found := strings.Cut(name, ".")
	if !found {
		dir, test = ".", name
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

// makeTargets returns what make help lists.
func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):.*## `).FindAllStringSubmatch(string(text), -1) {
		targets[m[1]] = true
	}
	return targets
}
