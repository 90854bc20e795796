package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/cmd/internal/directory"
	"github.com/neurons-me/netget/cmd/internal/healthflags"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

const (
	devNetwork = "development"
	devNode    = "dev" // the registry's node name
)

// devReady is the announcement of dev.
type devReady struct {
	IsReady        bool      `json:"ready"`
	Network        string    `json:"network"`
	Domain         string    `json:"domain"`
	RootSHA256     string    `json:"root_sha256"`
	CA             string    `json:"ca"`
	Registry       string    `json:"registry"`
	Ops            string    `json:"ops"`
	Home           string    `json:"home"`
	Token          string    `json:"token"`
	TokenExpiresAt time.Time `json:"token_expires_at"`
	Enroll         string    `json:"enroll"`
}

// ReadyLine is the command to paste.
func (r devReady) ReadyLine() string { return r.Enroll }

// dev is an authority and a registry in one process.
type dev struct {
	home        cli.Home
	service     string
	address     string
	opsAddress  string
	caAddress   string
	caOps       string
	audit       string
	health      healthflags.Settings
	logger      *slog.Logger
	authority   *authority.Server
	directory   *directory.Server
	identityDir string
}

func newDev(p *cli.Program) *cobra.Command {
	d := &dev{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "run a certificate authority and a registry for this machine",
		Long: "Both run in one process on loopback, for the network 'development'. State is kept in\n" +
			"DIR/dev of the home, which is a home of its own: 'netget-ca --home DIR/dev …' and\n" +
			"'netget-client --home DIR/dev …' work on it. The line printed enrols a first node.\n" +
			"Nothing is verified less than elsewhere; only the keys are stored without a passphrase.",
		Example: "  netget-registry dev\n  netget-registry dev --service databaseservice --home /tmp/try",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			d.home, d.logger = home.Dev(), p.Logger()
			d.service = identity.FoldName(d.service)
			if err := identity.CheckService(d.service); err != nil {
				return cli.Usage("%w", err)
			}
			return cli.Stopped(cmd.Context(), d.run(cmd.Context(), func(r devReady) error { return p.Printer().Announce(cmd.Context(), r) }))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&d.service, "service", "example", "service of the node that the printed line enrols")
	flags.StringVar(&d.address, "address", defaultAddress, "where the registry listens")
	flags.StringVar(&d.opsAddress, "ops-address", defaultOpsAddress, "the registry's operations port, or off")
	flags.StringVar(&d.caAddress, "ca-address", "127.0.0.1:8439", "where the authority listens")
	auditlog.Flag(flags, &d.audit)
	healthflags.Add(flags, &d.health)
	flags.StringVar(&d.caOps, "ca-ops-address", "127.0.0.1:8436", "the authority's operations port, or off")
	return cmd
}

// run starts the authority, enrols the registry with it where that has not
// happened yet, and starts the registry.
func (d *dev) run(ctx context.Context, announce func(devReady) error) error {
	if err := d.initAuthority(ctx); err != nil {
		return err
	}
	diary, err := d.authorityDiary()
	if err != nil {
		return err
	}
	d.authority, err = authority.Listen(ctx, authority.ServerConfig{
		Audit:   diary,
		CA:      pki.Config{Dir: d.home.CA(), Logger: d.logger, Now: time.Now, RenewGrace: pki.DefaultRenewGrace},
		Address: d.caAddress, OpsAddress: d.caOps,
	})
	if err != nil {
		return err
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		return d.authority.Run(running, func() error {
			g.Go(func() error { return d.runRegistry(running, announce) })
			return nil
		})
	})
	return g.Wait()
}

// authorityDiary returns the file of the authority's audit log: --audit names
// the registry's, but off is for both.
func (d *dev) authorityDiary() (string, error) {
	if d.audit == auditlog.Off {
		return "", nil
	}
	return auditlog.File("", d.home.CA())
}

func (d *dev) initAuthority(ctx context.Context) error {
	_, err := pki.Init(ctx, pki.InitConfig{Dir: d.home.CA(), Networks: []string{devNetwork}, URL: "https://" + d.caAddress, Now: time.Now})
	if errors.Is(err, pki.ErrInitialised) {
		return nil
	}
	return authority.Explain(err)
}

func (d *dev) runRegistry(ctx context.Context, announce func(devReady) error) error {
	d.identityDir = defaultIdentity(d.home)
	if err := os.MkdirAll(d.home.Registry(), 0o700); err != nil {
		return err
	}
	if err := d.enrollRegistry(ctx); err != nil {
		return fmt.Errorf("enrolling the registry: %w", err)
	}
	audit, err := auditlog.File(d.audit, d.home.Registry())
	if err != nil {
		return err
	}
	d.directory, err = directory.Listen(ctx, directory.ServerConfig{
		Identities: []string{d.identityDir}, Store: defaultStore(d.home), Address: d.address, OpsAddress: d.opsAddress,
		Dir: d.home.Registry(), Audit: audit, Now: time.Now, Logger: d.logger,
		Health: d.health, Loopback: true, OwnPorts: d.authority.Ports(),
	})
	if err != nil {
		return err
	}
	return d.directory.Run(ctx, func() error {
		ready, err := d.describe(ctx)
		if err != nil {
			return err
		}
		return announce(ready)
	})
}

// enrollRegistry makes the registry's identity, again when the one that is
// there can no longer be renewed: its log goes on under the same name.
func (d *dev) enrollRegistry(ctx context.Context) error {
	folder := identity.NewFolder(d.identityDir)
	if source, err := identity.NewSource(folder); err == nil {
		return d.refreshRegistry(ctx, source)
	} else if !errors.Is(err, identity.ErrNoIdentity) {
		return err
	}
	return d.enroll(ctx, folder, false)
}

func (d *dev) enroll(ctx context.Context, folder *identity.Folder, force bool) error {
	minted, err := d.authority.CA().Token(ctx, pki.TokenRequest{Network: devNetwork, Service: "registry", Node: devNode})
	if err != nil {
		return err
	}
	token, err := enroll.ParseToken(minted.Token)
	if err != nil {
		return err
	}
	made, err := enroll.Enroll(ctx, enroll.Config{Token: token, Folder: folder, Force: force, Logger: d.logger})
	if err != nil {
		return err
	}
	file, err := auditlog.File(d.audit, d.home.Registry())
	if err != nil {
		return err
	}
	return noteEnrolled(file, made.Identity.ID(), made.Identity.Credential.Leaf().NotAfter, time.Now())
}

// refreshRegistry tells an identity of an earlier run where the authority is
// now, and renews certificates that have ended meanwhile.
func (d *dev) refreshRegistry(ctx context.Context, source *identity.Source) error {
	i := *source.Identity()
	if i.Document.CA != d.authority.CA().URL() {
		i.Document.CA = d.authority.CA().URL()
		if err := source.Replace(&i); err != nil {
			return err
		}
	}
	if time.Now().Before(enroll.RenewAt(&i)) {
		return nil
	}
	if _, err := enroll.Renew(ctx, source, time.Now); err == nil {
		return nil
	}
	return d.enroll(ctx, source.Folder(), true)
}

// describe registers the registry's address with the authority and mints the
// token of the first node.
func (d *dev) describe(ctx context.Context) (devReady, error) {
	ca := d.authority.CA()
	url := "https://" + d.directory.Address()
	if err := d.publishAddress(ctx, url); err != nil {
		return devReady{}, err
	}
	network, err := ca.Network(devNetwork)
	if err != nil {
		return devReady{}, err
	}
	token, err := ca.Token(ctx, pki.TokenRequest{Network: devNetwork, Service: d.service})
	if err != nil {
		return devReady{}, err
	}
	home, err := filepath.Abs(string(d.home))
	if err != nil {
		return devReady{}, err
	}
	return devReady{
		IsReady: true, Network: devNetwork, Domain: ca.Domain(), RootSHA256: network.RootSHA256, CA: ca.URL(), Registry: url,
		Ops: d.directory.Ops(), Home: home, Token: token.Token, TokenExpiresAt: token.ExpiresAt,
		Enroll: fmt.Sprintf("netget-client enroll --home %s %s", home, token.Token),
	}, nil
}

// publishAddress makes url the one address of the registry: that of an earlier
// run may belong to somebody else now.
func (d *dev) publishAddress(ctx context.Context, url string) error {
	ca := d.authority.CA()
	registries, err := ca.Registries(ctx, devNetwork)
	if err != nil {
		return err
	}
	for _, r := range registries {
		for _, old := range r.Addresses {
			if old == url {
				continue
			}
			if err := ca.RemoveRegistry(ctx, devNetwork, old); err != nil {
				return err
			}
		}
	}
	_, err = ca.AddRegistry(ctx, devNetwork, devNode, url)
	return err
}
