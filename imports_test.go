package netget_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module    = "github.com/neurons-me/netget"
	buildTags = "nobadger,nobbolt,nomysql,nopgx"
)

// rooms says what each package may import of this module, besides its own
// sub-packages, which live by the same rule. "*" is everything but packages for
// tests. The architecture document explains the table.
func rooms() map[string][]string {
	return map[string][]string{
		".":                  {"identity", "identity/enroll", "discovery"},
		"identity":           {},
		"identity/enroll":    {"identity"},
		"discovery":          {"identity"},
		"healthwatch":        {"identity"},
		"pki":                {"identity", "discovery", "internal/audit", "internal/connlimit", "internal/database", "internal/recent", "migrations"},
		"registry":           {"identity", "identity/enroll", "discovery", "healthwatch", "internal/audit", "internal/connlimit", "internal/database", "internal/recent", "migrations"},
		"internal/database":  {"migrations"},
		"migrations":         {},
		"agent":              {".", "identity", "discovery"},
		"internal/audit":     {"identity", "internal/recent"},
		"internal/cli":       {"identity"},
		"internal/connlimit": {"internal/recent"},
		"internal/recent":    {},
		"internal/testca":    {"identity"},
		"internal/testdrill": {},
		"internal/testhttp":  {},
		"internal/testpath":  {},
		"internal/testpg":    {"internal/database"},
		"internal/testpipe":  {},
		"internal/testport":  {},
		"internal/vectors":   {"identity", "discovery", "internal/testca"},
		"cmd":                {"*"},

		"cmd/internal/scripttest": {"*", "internal/testport"}, // for tests alone
	}
}

// homes says which rooms may import a foreign package, by the start of its path.
func homes() map[string][]string {
	return map[string][]string{
		"github.com/go-jose/go-jose":          {"identity"},
		"golang.org/x/mod":                    {"discovery"},
		"github.com/smallstep":                {"pki"},
		"go.step.sm/crypto":                   {"pki"},
		"github.com/go-chi/chi":               {"pki"},
		"github.com/labstack":                 {"registry"},
		"github.com/jackc/pgx":                {"internal/database"},
		"github.com/pressly/goose":            {"internal/database"},
		"modernc.org":                         {"internal/database"},
		"database/sql":                        {"internal/database"},
		"golang.org/x/net/dns":                {"agent"},
		"github.com/spf13":                    {"internal/cli", "cmd"},
		"go.yaml.in/yaml":                     {"internal/cli", "pki"},
		"github.com/prometheus/client_golang": {"registry", "pki", "cmd"},
		"os/signal":                           {"cmd"},
		"github.com/zmap":                     {}, // tests alone
	}
}

// light are the rooms that people build into their own programs, or that run
// beside them, and what must never be linked into them.
func light() (rooms, never []string) {
	return []string{".", "agent", "cmd/netget-client", "identity", "discovery"},
		[]string{
			"github.com/smallstep", "go.step.sm", "github.com/labstack", "github.com/go-chi", "google.golang.org/grpc",
			"database/sql", "github.com/jackc", "modernc.org", "github.com/pressly",
			module + "/internal/database", module + "/pki", module + "/registry",
		}
}

func TestImportsFollowTheTable(t *testing.T) {
	table := rooms()
	for _, p := range listPackages(t, "./...") {
		name := shortName(p.ImportPath)
		room, ok := roomOf(name)
		if !ok {
			t.Errorf("%s is in no room: say in this table, and in the architecture document, what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if !mayImport(room, table[room], shortName(imported)) {
				t.Errorf("%s imports %s; %s may import only %q", name, shortName(imported), room, table[room])
			}
		}
	}
}

func TestForeignPackagesStayAtHome(t *testing.T) {
	for _, p := range listPackages(t, "./...") {
		room, _ := roomOf(shortName(p.ImportPath))
		for _, imported := range p.Imports {
			for foreign, home := range homes() {
				if within(imported, foreign) && !slices.Contains(home, room) {
					t.Errorf("%s imports %s, whose only home is %q", shortName(p.ImportPath), imported, home)
				}
			}
		}
	}
}

func TestLightRoomsStayLight(t *testing.T) {
	present := make(map[string]bool)
	for _, p := range listPackages(t, "./...") {
		present[shortName(p.ImportPath)] = true
	}
	names, never := light()
	for _, name := range names {
		if !present[name] {
			continue
		}
		for _, p := range listPackages(t, "-deps", "./"+name) {
			for _, foreign := range never {
				if within(p.ImportPath, foreign) {
					t.Errorf("%s links %s", name, p.ImportPath)
				}
			}
		}
	}
}

// listed is what we need of what go list prints.
type listed struct {
	ImportPath, Dir string
	Imports         []string // without those of tests
}

func listPackages(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-tags", buildTags, "-json=ImportPath,Dir,Imports"}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %q: %v\n%s", args, err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("reading go list's output: %v", err)
		}
		all = append(all, p)
		touch(t, p)
	}
	if len(all) == 0 {
		t.Fatalf("go list %q found no package", args)
	}
	return all
}

// touch looks at the files of a package of ours, for go test to see that this
// test depends on them: it would give a remembered result otherwise.
func touch(t *testing.T, p listed) {
	t.Helper()
	if !within(p.ImportPath, module) {
		return
	}
	files, err := os.ReadDir(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".go") {
			if _, err := os.Stat(filepath.Join(p.Dir, file.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func shortName(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// roomOf returns the innermost room that name is or lies in.
func roomOf(name string) (string, bool) {
	best := ""
	for room := range rooms() {
		if within(name, room) && len(room) > len(best) {
			best = room
		}
	}
	return best, best != ""
}

func mayImport(room string, allowed []string, imported string) bool {
	other, _ := roomOf(imported)
	if other == room || slices.Contains(allowed, other) {
		return true
	}
	return slices.Contains(allowed, "*") && !strings.HasPrefix(imported, "internal/test")
}

// within says whether path is start or lies below it.
func within(path, start string) bool {
	return path == start || strings.HasPrefix(path, start+"/")
}
