// Package command holds the commands of netget-ca. docs/cli.md describes them.
package command

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

const name = "netget-ca"

// commands are the program with the flags that several commands share.
type commands struct {
	*cli.Program

	passphraseFile   string
	audit            string
	noRegistryIssuer bool
}

// New returns the program for a process.
func New(process cli.Process) *cli.Program {
	c := &commands{Program: cli.New(process, cli.Config{
		Name: name, Folder: "ca",
		Short: "Certificate authority of netget",
		Long: "netget-ca is the certificate authority of netget's networks: it makes networks,\n" +
			"mints join tokens, and enrols and renews nodes.\n\n" +
			"Commands go to the server that runs on this home, or work on its files when none runs.",
	})}
	c.Root.PersistentFlags().StringVar(&c.passphraseFile, cli.PassphraseFlag, "",
		"file with the passphrase of the authority's keys (default: NETGET_PASSPHRASE, or a question at the terminal)")
	c.Root.PersistentFlags().BoolVar(&c.noRegistryIssuer, "no-registry-issuer", false,
		"leave the registry issuers' keys alone, which may be kept elsewhere: no registry can enrol then")
	auditlog.Flag(c.Root.PersistentFlags(), &c.audit)
	c.Root.AddCommand(auditlog.Reader(c.Program, &c.audit, cli.Home.CA), c.initialise(), c.serve(), c.network(), c.token(), c.enroll(), c.registries(), c.certs())
	return c.Program
}

// authority returns the authority of the home.
func (c *commands) authority() (authority.Authority, error) {
	home, err := c.Home()
	if err != nil {
		return authority.Authority{}, err
	}
	open := func(ctx context.Context) (*pki.CA, error) {
		cfg := pki.Config{Dir: home.CA(), NoRegistryIssuer: c.noRegistryIssuer, Logger: slog.New(slog.DiscardHandler)}
		if c.Root.PersistentFlags().Changed("log-level") {
			cfg.Logger = c.Logger()
		}
		file, err := auditlog.File(c.audit, home.CA())
		if err != nil {
			return nil, err
		}
		if file != "" {
			cfg.Audit = audit.Appending(file, cfg.Logger)
		}
		return withPassphrase(ctx, c, &cfg, func() (*pki.CA, error) { return pki.Open(ctx, cfg) })
	}
	return authority.Authority{Dir: home.CA(), Open: open}, nil
}

// withPassphrase calls open, and once more with the passphrase in cfg if the
// keys turn out to need one: nobody is asked for nothing.
func withPassphrase[T any](ctx context.Context, c *commands, cfg *pki.Config, open func() (T, error)) (T, error) {
	opened, err := open()
	if !errors.Is(err, pki.ErrPassphrase) {
		return opened, err
	}
	secret, err := c.Passphrase(ctx, c.passphraseFile, false)
	if err != nil {
		return opened, err
	}
	cfg.Passphrase = pki.NewPassphrase(secret)
	clear(secret)
	return open()
}

// networkFlag defines --network, which may be left out where there is one
// network.
func (c *commands) networkFlag(cmd *cobra.Command, value *string, without string) {
	cmd.Flags().StringVar(value, "network", "", "name of the network (default: "+without+")")
	c.complete(cmd, "network", c.Complete(c.networkNames))
}

// complete registers a completion for a flag that was defined just before.
func (c *commands) complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err)
	}
}

// networkNames lists the networks for completion, which asks for no
// passphrase.
func (c *commands) networkNames(ctx context.Context) ([]string, error) {
	c.Process.Prompt = nil
	a, err := c.authority()
	if err != nil {
		return nil, err
	}
	list, err := a.Networks(ctx)
	return networks{list}.Names(), err
}
