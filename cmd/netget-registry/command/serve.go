package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/directory"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/cli/admin"
	"github.com/neurons-me/netget/registry"
)

// The ports of the programs.
const (
	defaultAddress    = "127.0.0.1:8438"
	defaultOpsAddress = "127.0.0.1:8437"
)

func newServe(p *cli.Program) *cobra.Command {
	var identities []string
	cfg := directory.ServerConfig{Now: p.Process.Now}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the registry",
		Long: "Each --identity is a registry's identity in one network; networks share nothing but\n" +
			"the port. The store is SQLite by default, or PostgreSQL.",
		Example: "  netget-registry serve --address 0.0.0.0:8438\n" +
			"  netget-registry serve --store postgres://netget@db.example.org/netget\n" +
			"  netget-registry serve --identity /etc/netget/development --identity /etc/netget/production",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			if len(identities) == 0 {
				identities = []string{defaultIdentity(home)}
			}
			if cfg.Identities, err = absolute(identities); err != nil {
				return err
			}
			if cfg.Store == "" {
				cfg.Store = defaultStore(home)
			}
			cfg.Dir, cfg.Logger = home.Registry(), p.Logger()
			server, err := directory.Listen(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			err = server.Run(cmd.Context(), func() error { return p.Printer().Announce(server.Ready(name)) })
			return cli.Stopped(cmd.Context(), err)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&identities, "identity", nil, "identity folder of a network; may be repeated (default: identity in the registry's folder of the home)")
	flags.StringVar(&cfg.Store, "store", "", "store URL, sqlite:///path or postgres://… (default: registry.db in the registry's folder of the home)")
	cli.Secret(flags, "store")
	flags.StringVar(&cfg.Address, "address", defaultAddress, "where nodes and clients reach the registry")
	flags.StringVar(&cfg.OpsAddress, "ops-address", defaultOpsAddress, "where the operations port is, or off")
	addLimits(cmd, &cfg.Registry)
	return cmd
}

// addLimits defines the flags of what one caller may use.
func addLimits(cmd *cobra.Command, cfg *registry.Config) {
	flags := cmd.Flags()
	flags.Float64Var(&cfg.ReadRate, "read-rate", 20, "reads a second that each identity may make")
	flags.IntVar(&cfg.ReadBurst, "read-burst", 100, "reads that each identity may make at once")
}

func newStatus(p *cli.Program) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "show how the registry that runs here stands",
		Example: "  netget-registry status -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			status, err := directory.AskStatus(cmd.Context(), home.Registry())
			if errors.Is(err, admin.ErrNobody) {
				return cli.Hint(cli.Fail(cli.ExitUnavailable, "no registry runs in %s", home.Registry()), "start it with 'netget-registry serve', or name its home with --home")
			}
			if err != nil {
				return err
			}
			return p.Printer().Print(status)
		},
	}
}
