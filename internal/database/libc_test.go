package database_test

import (
	"os"
	osexec "os/exec"
	"strings"
	"testing"
)

// SQLite's driver is C turned into Go and works with exactly the libc that its
// own go.mod names; a newer one, which another module may ask for, does not fit.
func TestLibcIsTheOneThatSQLiteWants(t *testing.T) {
	goMod, err := os.ReadFile(goList(t, "{{.GoMod}}", "modernc.org/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	have := goList(t, "{{.Version}}", "modernc.org/libc")
	_, rest, _ := strings.Cut(string(goMod), "modernc.org/libc ")
	want, _, _ := strings.Cut(rest, "\n")
	if have != strings.TrimSpace(want) {
		t.Errorf("go.mod has modernc.org/libc %s, SQLite wants %s", have, want)
	}
}

func goList(t *testing.T, format, module string) string {
	t.Helper()
	out, err := osexec.CommandContext(t.Context(), "go", "list", "-m", "-f", format, module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}
