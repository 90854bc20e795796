// Package command is what netget-registry does, see docs/cli.md.
package command

import (
	"path/filepath"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/database"
)

// name is the program's.
const name = "netget-registry"

// New returns the program.
func New(process cli.Process) *cli.Program {
	p := cli.New(process, cli.Config{
		Name: name, Folder: "registry",
		Short: "the directory of a network, which nobody has to trust",
		Long: "netget-registry takes the signed records of service nodes, watches over them,\n" +
			"and answers discovery with proofs that every client checks.\n\n" +
			"Try 'netget-registry demo', or 'netget-registry dev' for a network of your own\n" +
			"on this machine.",
	})
	p.Root.AddCommand(newEnroll(p), newServe(p), newStatus(p), newAudit(p), newDev(p), newDemo(p))
	return p
}

// defaultIdentity is the identity folder of a home.
func defaultIdentity(home cli.Home) string { return filepath.Join(home.Registry(), "identity") }

// defaultStore is the store URL of a home.
func defaultStore(home cli.Home) string {
	return database.URL(filepath.Join(home.Registry(), "registry.db"))
}

// absolute returns paths that mean the same from any folder.
func absolute(paths []string) ([]string, error) {
	out := make([]string, 0, len(paths))
	for _, path := range paths {
		full, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		out = append(out, full)
	}
	return out, nil
}
