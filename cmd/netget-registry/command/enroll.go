package command

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/spf13/cobra"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/cli"
)

// enrolled is what enroll prints.
type enrolled struct {
	ID         identity.NodeID          `json:"id"`
	Network    string                   `json:"network"`
	Type       string                   `json:"type"`
	Identity   string                   `json:"identity"`
	NotAfter   time.Time                `json:"not_after"`
	RootSHA256 string                   `json:"root_sha256"`
	Registries []identity.KnownRegistry `json:"registries"`
}

// Names returns the identity.
func (e enrolled) Names() []string { return []string{e.ID.String()} }

// Table shows one line.
func (e enrolled) Table() cli.Table {
	return cli.Table{Rows: [][]string{{"enrolled " + e.ID.String() + " in " + e.Identity + ", until " + e.NotAfter.UTC().Format(time.RFC3339)}}}
}

func newEnroll(p *cli.Program) *cobra.Command {
	var dir string
	var force bool
	cmd := &cobra.Command{
		Use:   "enroll TOKEN",
		Short: "make this machine a registry of a network, by a join token",
		Long: "The token comes from 'netget-ca token registry NAME'. TOKEN may be - (read from\n" +
			"standard input) or @FILE.",
		Example: "  netget-registry enroll @token.txt\n" +
			"  netget-ca token registry registry-1 --network production | netget-registry enroll - --identity /etc/netget/production",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			home, err := p.Home()
			if err != nil {
				return err
			}
			if dir == "" {
				dir = defaultIdentity(home)
			}
			result, err := enrollRegistry(cmd, p, args[0], dir, force)
			if err != nil {
				return err
			}
			return p.Printer().Print(result)
		},
	}
	cmd.Flags().StringVar(&dir, "identity", "", "folder for the identity (default: identity in the registry's folder of the home)")
	cmd.Flags().BoolVar(&force, "force", false, "replace an identity that the folder holds")
	return cmd
}

func enrollRegistry(cmd *cobra.Command, p *cli.Program, arg, dir string, force bool) (enrolled, error) {
	text, err := p.Process.ReadToken(arg)
	if err != nil {
		return enrolled{}, err
	}
	token, err := enroll.ParseToken(text)
	if err != nil {
		return enrolled{}, cli.Hint(cli.Usage("%w", err), "paste the whole token that 'netget-ca token registry NAME' printed")
	}
	if token.ID().Type() != identity.RegistryNode {
		return enrolled{}, cli.Hint(cli.Usage("the token is for %s, a %s", token.ID(), token.ID().Type()), "use 'netget-client enroll', or take a token of 'netget-ca token registry NAME'")
	}
	paths, err := absolute([]string{dir})
	if err != nil {
		return enrolled{}, err
	}
	folder := identity.NewFolder(paths[0])
	result, err := enroll.Enroll(cmd.Context(), enroll.Config{Token: token, Folder: folder, Force: force})
	if err != nil {
		return enrolled{}, cli.TokenRefused(err)
	}
	return newEnrolled(result.Identity, folder.Dir()), nil
}

func newEnrolled(i *identity.Identity, dir string) enrolled {
	root := sha256.Sum256(i.Bundle.Roots()[0].Raw)
	return enrolled{
		ID: i.ID(), Network: i.Document.Network, Type: i.ID().Type().String(), Identity: dir,
		NotAfter: i.Credential.Leaf().NotAfter, RootSHA256: hex.EncodeToString(root[:]), Registries: i.Document.Registries,
	}
}
