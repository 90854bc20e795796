package command

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/connflags"
	"github.com/neurons-me/netget/cmd/internal/ops"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/connlimit"
	"github.com/neurons-me/netget/pki"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	address, opsAddress, publicURL string
	renewGrace                     time.Duration
	connections                    connlimit.Limits
}

func (c *commands) serve() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the certificate authority", Args: cobra.NoArgs,
		Long: "Serve enrols and renews nodes until it is stopped by SIGINT or SIGTERM. When it\n" +
			"can be used it prints one line on standard output; the log is on standard error.",
		Example: "  netget-ca serve\n" +
			"  netget-ca serve --address 0.0.0.0:8439 --public-url https://ca.example.org:8439 --passphrase-file ca.pass\n" +
			"  netget-ca serve --address 127.0.0.1:0 --ops-address off -o json",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runServe(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.address, "address", defaultAddress, "host:port of the API")
	flags.StringVar(&o.opsAddress, "ops-address", "127.0.0.1:8436", "host:port of the operations port (/livez, /readyz, /metrics), or 'off'")
	flags.StringVar(&o.publicURL, "public-url", "", "URL by which nodes reach the API (default: --url of init, or that of --address)")
	flags.DurationVar(&o.renewGrace, "renew-grace", pki.DefaultRenewGrace, "for how long after its end a certificate may be renewed, 0 for never")
	connflags.Add(flags, &o.connections, pki.DefaultConnections())
	return cmd
}

func (c *commands) runServe(ctx context.Context, o serveOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	home, err := c.Home()
	if err != nil {
		return err
	}
	file, err := auditlog.File(c.audit, home.CA())
	if err != nil {
		return err
	}
	cfg := authority.ServerConfig{
		Audit: file,
		CA: pki.Config{
			Dir: home.CA(), RenewGrace: o.renewGrace, NoRegistryIssuer: c.noRegistryIssuer, Logger: c.Logger(), Now: c.Process.Now,
			Connections: o.connections,
		},
		Address: o.address, OpsAddress: o.opsAddress, PublicURL: o.publicURL,
	}
	server, err := withPassphrase(ctx, c, &cfg.CA, func() (*authority.Server, error) { return authority.Listen(ctx, cfg) })
	if err != nil {
		return cli.Stopped(ctx, err)
	}
	return server.Run(ctx, func() error { return c.Printer().Announce(ctx, server.Ready(name)) })
}

func (o serveOptions) check() error {
	if _, err := checkAddress("address", o.address); err != nil {
		return err
	}
	if o.renewGrace < 0 {
		return cli.Usage("--renew-grace: %s is negative", o.renewGrace)
	}
	if o.opsAddress == ops.Off {
		return nil
	}
	_, err := checkAddress("ops-address", o.opsAddress)
	return err
}
