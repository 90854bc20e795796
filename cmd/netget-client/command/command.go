// Package command holds the commands of netget-client. docs/cli.md describes
// them.
package command

import (
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

const name = "netget-client"

// commands are the program with the flags that all its commands share.
type commands struct {
	*cli.Program

	identityDir string
	registries  []string
}

// New returns the program for a process.
func New(process cli.Process) *cli.Program {
	c := &commands{Program: cli.New(process, cli.Config{
		Name: name, Folder: "client",
		Short: "Node of a netget network",
		Long: "netget-client gives a machine its identity, registers services, and finds those\n" +
			"of others. Whatever a registry answers is verified before anything is printed.",
	})}
	flags := c.Root.PersistentFlags()
	flags.StringVar(&c.identityDir, "identity", "", "identity folder (default: client in the home)")
	flags.StringArrayVar(&c.registries, "registry", nil, "address of a registry, https://HOST:PORT, instead of those of the identity; may be repeated")
	c.complete(c.Root, "registry", c.Complete(c.knownAddresses))
	c.Root.AddCommand(c.enroll(), c.register(), c.deregister(), c.drain(), c.undrain(), c.remove(),
		c.discover(), c.node(), c.services(), c.events(), c.verify(), c.status())
	return c.Program
}

// dir returns the identity folder in force.
func (c *commands) dir() (string, error) {
	if c.identityDir != "" {
		dir, err := filepath.Abs(c.identityDir)
		if err != nil {
			return "", cli.Usage("identity folder %s: %w", c.identityDir, err)
		}
		return dir, nil
	}
	home, err := c.Home()
	if err != nil {
		return "", err
	}
	return home.Client(), nil
}

// options returns what every use of the SDK has in common.
func (c *commands) options() (netget.Options, error) {
	dir, err := c.dir()
	if err != nil {
		return netget.Options{}, err
	}
	return netget.Options{Identity: dir, RegistryNodes: c.registries, Logger: c.quiet(), Now: c.Process.Now}, nil
}

// open returns a node that acts with the identity in force. The caller closes
// it; what a command that only asks could report then was reported before.
func (c *commands) open() (*netget.Node, error) {
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	return netget.New(opts), nil
}

// quiet returns the log of a command that only asks: none, unless the user
// wants to see it.
func (c *commands) quiet() *slog.Logger {
	if c.Root.PersistentFlags().Changed("log-level") {
		return c.Logger()
	}
	return nil
}

// complete registers a completion for a flag that was defined just before.
func (c *commands) complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

// load reads the identity in force.
func (c *commands) load() (*identity.Identity, error) {
	dir, err := c.dir()
	if err != nil {
		return nil, err
	}
	return identity.NewFolder(dir).Load()
}
