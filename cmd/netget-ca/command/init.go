package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/cmd/internal/auditlog"
	"github.com/neurons-me/netget/cmd/internal/authority"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/pki"
)

const defaultAddress = "127.0.0.1:8439"

// initOptions are the flags of init.
type initOptions struct {
	networks     []string
	domain       string
	address, url string
	extras       extras
	leafLife     time.Duration
	noPassphrase bool
}

// extras are the flags for names beyond a network's trust domain.
type extras struct{ dns, ips []string }

func (e *extras) define(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&e.dns, "dns", nil, "DNS name that servers may carry beside those of their network (default: localhost)")
	cmd.Flags().StringArrayVar(&e.ips, "ip", nil, "address or prefix that servers may carry (default: 127.0.0.0/8 and ::1)")
}

func (c *commands) initialise() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use: "init", Short: "Make a certificate authority", Args: cobra.NoArgs,
		Long: "Init makes the authority of this home: its networks, each with its own root, and\n" +
			"their keys, encrypted with a passphrase. It happens once; names given by --dns\n" +
			"and --ip are fixed for good in the certificates of the networks' issuers.",
		Example: "  netget-ca init\n" +
			"  netget-ca init --network development --network production --passphrase-file ca.pass\n" +
			"  netget-ca init --address 0.0.0.0:8439 --url https://ca.example.org:8439 --dns example.org --ip 10.0.0.0/8",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runInit(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.networks, "network", []string{"development"}, "network to make; may be repeated")
	flags.StringVar(&o.domain, "domain", identity.DefaultDomain, "DNS domain of the deployment")
	flags.StringVar(&o.address, "address", defaultAddress, "host:port where serve will listen")
	flags.StringVar(&o.url, "url", "", "public URL of the authority, https://HOST:PORT (default: that of --address)")
	o.extras.define(cmd)
	flags.DurationVar(&o.leafLife, "leaf-life", 24*time.Hour, "life of nodes' certificates, 5m to 168h")
	flags.BoolVar(&o.noPassphrase, "no-passphrase", false, "store the keys plain")
	return cmd
}

func (c *commands) runInit(ctx context.Context, o initOptions) error {
	home, err := c.Home()
	if err != nil {
		return err
	}
	cfg, err := o.config(home.CA())
	if err != nil {
		return err
	}
	if cfg.Passphrase, err = c.newPassphrase(ctx, o.noPassphrase); err != nil {
		return err
	}
	made, err := pki.Init(ctx, cfg)
	cfg.Passphrase.Wipe()
	if err != nil {
		return authority.Explain(err)
	}
	if err := o.remember(home.CA()); err != nil {
		return err
	}
	if err := c.noteNetworks(home, made); err != nil {
		return err
	}
	result := initialised{Domain: cfg.Domain, CA: cfg.URL}
	for _, n := range made {
		result.Networks = append(result.Networks, initialNetwork{n.Network, n.NID, n.RootSHA256})
	}
	return c.Printer().Print(result)
}

// noteNetworks writes the first entries of the audit log.
func (c *commands) noteNetworks(home cli.Home, made []pki.Network) error {
	file, err := auditlog.File(c.audit, home.CA())
	if err != nil || file == "" {
		return err
	}
	for _, n := range made {
		e := audit.Entry{Time: c.Process.Now(), Event: audit.Administered, Network: n.Network, Reason: "network created"}
		if err := audit.Append(file, e); err != nil {
			return err
		}
	}
	return nil
}

// config judges the flags, before anybody is asked for a passphrase.
func (o initOptions) config(dir string) (pki.InitConfig, error) {
	cfg := pki.InitConfig{Dir: dir, Domain: identity.FoldName(o.domain), URL: o.url, LeafLife: o.leafLife}
	if _, err := os.Lstat(filepath.Join(dir, "ca.yaml")); !errors.Is(err, fs.ErrNotExist) {
		return cfg, authority.Explain(errors.Join(err, fmt.Errorf("initialising %s: %w", dir, pki.ErrInitialised)))
	}
	for _, name := range o.networks {
		name = identity.FoldName(name)
		if err := checkNetwork(name, cfg.Domain); err != nil {
			return cfg, err
		}
		cfg.Networks = append(cfg.Networks, name)
	}
	everywhere, err := checkAddress("address", o.address)
	if err != nil {
		return cfg, err
	}
	if cfg.URL == "" && everywhere {
		return cfg, cli.Hint(cli.Usage("%s stands for every address of this machine; nodes need one that they reach", o.address),
			"say how nodes reach the authority: --url https://HOST:PORT")
	}
	if cfg.URL == "" {
		cfg.URL = "https://" + o.address
	}
	cfg.Extras, err = pki.ParseExtras(o.extras.dns, o.extras.ips)
	return cfg, authority.Explain(err)
}

// newPassphrase returns the passphrase for new keys, the zero one if they
// shall be plain.
func (c *commands) newPassphrase(ctx context.Context, none bool) (pki.Passphrase, error) {
	if none && c.passphraseFile != "" {
		return pki.Passphrase{}, cli.Hint(cli.Usage("--no-passphrase and --%s contradict each other", cli.PassphraseFlag), "leave one of them out")
	}
	if none {
		return pki.Passphrase{}, nil
	}
	secret, err := c.Passphrase(ctx, c.passphraseFile, true)
	if errors.Is(err, identity.ErrFileMode) {
		return pki.Passphrase{}, err
	}
	if err != nil {
		return pki.Passphrase{}, cli.Hint(err, "use --passphrase-file FILE or NETGET_PASSPHRASE, run the command on a terminal, or store the keys plain with --no-passphrase")
	}
	defer clear(secret)
	return pki.NewPassphrase(secret), nil
}

// remember writes what serve shall take as its defaults to the configuration
// of the home, if it differs from what serve takes anyway.
func (o initOptions) remember(dir string) error {
	var text []byte
	if o.address != defaultAddress {
		text = fmt.Appendf(text, "address: %q\n", o.address)
	}
	if o.url != "" {
		text = fmt.Appendf(text, "public-url: %q\n", o.url)
	}
	if text == nil {
		return nil
	}
	if err := identity.ReplaceFile(filepath.Join(dir, "config.yaml"), text, 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
