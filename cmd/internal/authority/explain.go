package authority

import (
	"errors"

	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/pki"
)

// Explain gives an error of the authority the exit code and the hint for the
// person at the terminal. What the authority refuses as malformed came from
// the command line, so it is a usage error.
func Explain(err error) error {
	if _, ok := errors.AsType[*cli.Error](err); ok || err == nil {
		return err
	}
	switch {
	case errors.Is(err, pki.ErrNotInitialised):
		return cli.Hint(cli.Usage("%w", err), "make one with 'netget-ca init', or name its home with --home")
	case errors.Is(err, pki.ErrInitialised):
		return cli.Hint(cli.Usage("%w", err), "use the one that is there ('netget-ca network create' adds a network), or choose another --home")
	case errors.Is(err, pki.ErrLocked):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "stop that process, or choose another --home; while 'netget-ca serve' is starting, wait for its ready line")
	case errors.Is(err, pki.ErrPassphrase):
		return cli.Hint(cli.Usage("%w", err), "give the passphrase of 'netget-ca init' with --passphrase-file FILE or NETGET_PASSPHRASE")
	case errors.Is(err, pki.ErrNetworkExists):
		return cli.Hint(cli.Usage("%w", err), "choose another name; 'netget-ca network list' shows those in use")
	case errors.Is(err, database.ErrLinked):
		return cli.Hint(cli.Usage("%w", err), "find its other names with 'find DIR -samefile FILE' and remove them while nobody has the store open")
	case errors.Is(err, database.ErrCorrupt):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "bring ca.db back from a backup")
	case errors.Is(err, database.ErrFull):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "make room on the disk of the authority's home, then try again")
	case errors.Is(err, database.ErrReadOnly):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "make the authority's home and its disk writable for this user, then try again")
	case errors.Is(err, database.ErrMoved):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "put the very same file back, or bring ca.db back from a backup")
	case errors.Is(err, database.ErrNewer):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "use the newer version of netget-ca that has opened this folder")
	}
	return explainClass(err)
}

func explainClass(err error) error {
	refusal, ok := errors.AsType[*identity.Error](err)
	if !ok {
		return err
	}
	switch refusal.Code { //nolint:exhaustive // the others mean the same wherever they come from
	case identity.Malformed, identity.Limits:
		return cli.Usage("%s", refusal.Reason)
	case identity.Unavailable:
		return cli.Hint(err, "try again, and see the log of the authority; registries enrol only where the registry issuer's key is")
	case identity.NotFound:
		return cli.Hint(err, "'netget-ca network list' shows the networks, 'netget-ca registries list' the registries")
	}
	return err
}
