package directory

import (
	"errors"

	"github.com/neurons-me/netget/internal/cli"
	"github.com/neurons-me/netget/internal/database"
	"github.com/neurons-me/netget/registry/catalog"
)

// explain gives an error of the store the exit code and the hint for the
// person at the terminal.
func explain(err error) error {
	if _, ok := errors.AsType[*cli.Error](err); ok || err == nil {
		return err
	}
	switch {
	case errors.Is(err, database.ErrURL):
		return cli.Hint(cli.Usage("%w", err), "use --store sqlite:///path/registry.db or --store postgres://user@host/database")
	case errors.Is(err, database.ErrLocked):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "stop that process, or give this one a store of its own with --store")
	case errors.Is(err, database.ErrCorrupt):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "the store cannot be believed: put it aside and enrol a new registry identity; nodes register again by themselves")
	case errors.Is(err, database.ErrUnavailable):
		return cli.Hint(cli.Fail(cli.ExitUnavailable, "%w", err), "start the database, or check the URL in --store")
	case errors.Is(err, database.ErrNewer):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "use the newer version of netget-registry that has opened this store")
	case errors.Is(err, database.ErrFull), errors.Is(err, database.ErrReadOnly):
		return cli.Fail(cli.ExitFailure, "%w", err)
	case errors.Is(err, catalog.ErrForeignLog):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "a registry identity is one log for ever: give this one a store of its own with --store")
	}
	if h, ok := errors.AsType[hinter](err); ok {
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "%s", h.Hint())
	}
	return err
}

// hinter is an error of the catalog: what is stored, or known elsewhere, does
// not let it go on.
type hinter interface {
	error
	Hint() string
}
