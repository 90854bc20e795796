package command

import (
	"context"
	"errors"
	"log/slog"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/connflags"
	"github.com/neurons-me/netget/cmd/internal/directory"
	"github.com/neurons-me/netget/cmd/internal/healthflags"
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
	var audit string
	cfg := directory.ServerConfig{Now: p.Process.Now}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the registry",
		Long: "Each --identity is a registry's identity in one network; networks share nothing but\n" +
			"the port. The store is SQLite by default, or PostgreSQL.",
		Example: "  netget-registry serve --address 0.0.0.0:8438\n" +
			"  netget-registry serve --store postgres://netget@db.example.org/netget\n" +
			"  netget-registry serve --identity /etc/netget/development --identity /etc/netget/production\n" +
			"  netget-registry serve --address 0.0.0.0:8438 --load-balancer 10.0.0.0/24",
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
			if cfg.Audit, err = auditlog.File(audit, home.Registry()); err != nil {
				return err
			}
			cfg.Dir, cfg.Logger = home.Registry(), p.Logger()
			warnOfPassword(cmd.Context(), p, cfg.Store)
			server, err := directory.Listen(cmd.Context(), cfg)
			cfg.Store = "" // it may hold a password
			if err != nil {
				return err
			}
			err = server.Run(cmd.Context(), func() error { return p.Printer().Announce(cmd.Context(), server.Ready(name)) })
			return cli.Stopped(cmd.Context(), err)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&identities, "identity", nil, "identity folder of a network; may be repeated (default: identity in the registry's folder of the home)")
	flags.StringVar(&cfg.Store, "store", "", "store URL, sqlite:///path or postgres://… (default: registry.db in the registry's folder of the home)")
	cli.Secret(flags, "store")
	flags.StringVar(&cfg.Address, "address", defaultAddress, "where nodes and clients reach the registry")
	flags.StringVar(&cfg.OpsAddress, "ops-address", defaultOpsAddress, "where the operations port is, or off")
	auditlog.Flag(flags, &audit)
	addLimits(cmd, &cfg.Registry)
	healthflags.Add(flags, &cfg.Health)
	return cmd
}

// warnOfPassword warns of a password on the command line.
func warnOfPassword(ctx context.Context, p *cli.Program, store string) {
	u, err := url.Parse(store)
	if err != nil || !p.Typed("store") {
		return
	}
	if _, given := u.User.Password(); given || u.Query().Has("password") {
		p.Logger().LogAttrs(ctx, slog.LevelWarn, "every user of this machine can read the password in --store; write the URL to a file of mode 0600 and name that in NETGET_STORE_FILE")
	}
}

// addLimits defines the flags of what one caller may use.
func addLimits(cmd *cobra.Command, cfg *registry.Config) {
	flags := cmd.Flags()
	cli.Positive(flags, &cfg.ReadRate, "read-rate", 20, "reads a second that each identity may make")
	cli.Positive(flags, &cfg.ReadBurst, "read-burst", 100, "reads that each identity may make at once")
	cli.Positive(flags, &cfg.UnsentBytes, "unsent-bytes", 256<<20, "bytes of answers that slow readers may keep waiting, in all; above it the oldest end of the identity that keeps most")
	cli.Positive(flags, &cfg.ConnectionsPerIdentity, "connections-per-identity", registry.DefaultConnectionsPerIdentity, "connections that may be open of one identity; above it the oldest ends")
	connflags.Add(flags, &cfg.Connections, registry.DefaultConnections())
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
