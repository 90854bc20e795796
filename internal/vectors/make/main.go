// Make writes the published test vectors: go run ./internal/vectors/make from
// the root of the module.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neurons-me/netget/internal/vectors/forge"
)

func main() {
	dir := flag.String("dir", filepath.Join("testdata", "vectors"), "the folder to write to")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	files, err := forge.Files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // published files
			return fmt.Errorf("writing vectors: %w", err)
		}
	}
	return nil
}
