package command

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/cli"
)

const tokenHint = "ask for a new token: they work once and for a short time ('netget-ca token')"

// enrolled says what an identity folder holds now.
type enrolled struct {
	ID         identity.NodeID          `json:"id"`
	Network    string                   `json:"network"`
	Type       string                   `json:"type"`
	Identity   string                   `json:"identity"` // the folder
	NotAfter   time.Time                `json:"not_after"`
	RootSHA256 string                   `json:"root_sha256"`
	Registries []identity.KnownRegistry `json:"registries"`
}

// Names returns the identity.
func (e enrolled) Names() []string { return []string{e.ID.String()} }

// Table returns what people see.
func (e enrolled) Table() cli.Table {
	var addresses []string
	for _, r := range e.Registries {
		addresses = append(addresses, r.Addresses...)
	}
	return cli.Table{
		Header: []string{"ID", "IDENTITY", "NOT AFTER", "REGISTRIES"},
		Rows:   [][]string{{e.ID.String(), e.Identity, clock(e.NotAfter), strings.Join(addresses, " ")}},
	}
}

func (c *commands) enroll() *cobra.Command {
	var force, ed25519 bool
	cmd := &cobra.Command{
		Use: "enroll TOKEN", Short: "Spend a join token and write the identity folder", Args: cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Enroll makes new keys, has them certified by the authority that the token names,\n" +
			"and writes the identity folder. A token works once and for a short time.\n\n" +
			"TOKEN is the token itself, @FILE, or - for standard input.",
		Example: "  netget-client enroll eyJhbGciOi…\n" +
			"  netget-ca token databaseservice db-1 | netget-client enroll - --identity ./db-1",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := c.Process.ReadToken(args[0])
			if err != nil {
				return err
			}
			token, err := parseToken(text)
			if err != nil {
				return err
			}
			dir, err := c.dir()
			if err != nil {
				return err
			}
			cfg := enroll.Config{Token: token, Folder: identity.NewFolder(dir), Force: force, Ed25519: ed25519, Logger: c.quiet()}
			result, err := enroll.Enroll(cmd.Context(), cfg)
			if errors.Is(err, enroll.ErrTokenExpired) {
				return cli.Hint(cli.Fail(cli.ExitDenied, "%w", err), tokenHint)
			}
			if err != nil {
				return cli.TokenRefused(err)
			}
			marks, err := discovery.OpenMarks(cfg.Folder.Path(identity.MarksFile))
			if err != nil {
				return err
			}
			if err := netget.SuggestMarks(marks, result.Registries); err != nil {
				return err
			}
			return c.Printer().Print(describe(result.Identity, token, dir))
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the identity that the folder holds")
	cmd.Flags().BoolVar(&ed25519, "ed25519", false, "make an Ed25519 key instead of ECDSA P-256")
	return cmd
}

// parseToken refuses what is no token, or not one for this program.
func parseToken(text string) (enroll.Token, error) {
	token, err := enroll.ParseToken(text)
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		return enroll.Token{}, cli.Hint(cli.Usage("not a join token: %s", strings.TrimPrefix(refusal.Reason, "not a join token: ")),
			"pass what 'netget-ca token' printed, whole and unchanged; @FILE reads it from a file, - from standard input")
	}
	if err != nil {
		return enroll.Token{}, err
	}
	if token.ID().Type() == identity.RegistryNode {
		return enroll.Token{}, cli.Hint(cli.Usage("the token is for the registry %s", token.ID()), "enrol it with 'netget-registry enroll'")
	}
	return token, nil
}

func describe(i *identity.Identity, token enroll.Token, dir string) enrolled {
	root := token.Root()
	return enrolled{
		ID: i.ID(), Network: i.Document.Network, Type: i.Document.Type, Identity: dir,
		NotAfter: i.Credential.Leaf().NotAfter, RootSHA256: hex.EncodeToString(root[:]), Registries: i.Document.Registries,
	}
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
