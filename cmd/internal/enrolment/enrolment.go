// Package enrolment is how programs come by an identity folder: they spend a
// join token, and print what they got in one form (docs/cli.md, "enroll").
package enrolment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/identity/enroll"
	"github.com/neurons-me/netget/internal/cli"
)

// An Enrolled says what an identity folder holds now.
type Enrolled struct {
	ID         identity.NodeID          `json:"id"`
	Network    string                   `json:"network"`
	Type       string                   `json:"type"`
	Identity   string                   `json:"identity"` // the folder
	NotAfter   time.Time                `json:"not_after"`
	RootSHA256 string                   `json:"root_sha256"` // of the network's first root
	Registries []identity.KnownRegistry `json:"registries"`
}

// Describe says what a folder holds.
func Describe(i *identity.Identity, dir string) Enrolled {
	root := sha256.Sum256(i.Bundle.Roots()[0].Raw)
	return Enrolled{
		ID: i.ID(), Network: i.Document.Network, Type: i.Document.Type, Identity: dir,
		NotAfter: i.Credential.Leaf().NotAfter, RootSHA256: hex.EncodeToString(root[:]), Registries: i.Document.Registries,
	}
}

// Names returns the identity.
func (e Enrolled) Names() []string { return []string{e.ID.String()} }

// Table returns what people see.
func (e Enrolled) Table() cli.Table {
	var addresses []string
	for _, r := range e.Registries {
		addresses = append(addresses, r.Addresses...)
	}
	return cli.Table{
		Header: []string{"ID", "IDENTITY", "NOT AFTER", "REGISTRIES"},
		Rows:   [][]string{{e.ID.String(), e.Identity, e.NotAfter.UTC().Format(time.RFC3339), strings.Join(addresses, " ")}},
	}
}

// A Join is a token to spend and what to make of it.
type Join struct {
	Token    string // as it was handed over
	Dir      string // the identity folder
	Registry bool   // whether the program enrols registries, or all others
	Force    bool
	Ed25519  bool
	Logger   *slog.Logger
}

// Spend enrols by the token and writes the folder. Its errors have exit code
// and hint.
func Spend(ctx context.Context, j Join) (Enrolled, error) {
	token, err := j.parse()
	if err != nil {
		return Enrolled{}, err
	}
	dir, err := filepath.Abs(j.Dir)
	if err != nil {
		return Enrolled{}, err
	}
	folder := identity.NewFolder(dir)
	result, err := enroll.Enroll(ctx, enroll.Config{Token: token, Folder: folder, Force: j.Force, Ed25519: j.Ed25519, Logger: j.Logger})
	if errors.Is(err, enroll.ErrTokenExpired) {
		return Enrolled{}, cli.Hint(cli.Fail(cli.ExitDenied, "%w", err), "ask for a new token: they work once and for a short time ('netget-ca token')")
	}
	if err != nil {
		return Enrolled{}, cli.TokenRefused(err)
	}
	marks, err := discovery.OpenMarks(folder.Path(identity.MarksFile))
	if err != nil {
		return Enrolled{}, err
	}
	if err := marks.SuggestAll(result.Registries); err != nil {
		return Enrolled{}, err
	}
	return Describe(result.Identity, dir), nil
}

// parse refuses what is no token, or not one for this program.
func (j Join) parse() (enroll.Token, error) {
	token, err := enroll.ParseToken(j.Token)
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		return enroll.Token{}, cli.Hint(cli.Usage("not a join token: %s", strings.TrimPrefix(refusal.Reason, "not a join token: ")),
			"pass what 'netget-ca token' printed, whole and unchanged; @FILE reads it from a file, - from standard input")
	}
	if err != nil {
		return enroll.Token{}, err
	}
	switch isRegistry := token.ID().Type() == identity.RegistryNode; {
	case isRegistry && !j.Registry:
		return enroll.Token{}, cli.Hint(cli.Usage("the token is for the registry %s", token.ID()), "enrol it with 'netget-registry enroll'")
	case !isRegistry && j.Registry:
		return enroll.Token{}, cli.Hint(cli.Usage("the token is for %s, which is no registry", token.ID()),
			"enrol it with 'netget-client enroll', or take a token of 'netget-ca token registry NAME'")
	}
	return token, nil
}
