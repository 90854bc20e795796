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
	case errors.Is(err, database.ErrLinked):
		return cli.Hint(cli.Usage("%w", err), "find its other names with 'find DIR -samefile FILE' and remove them while nobody has the store open")
	case errors.Is(err, database.ErrCorrupt):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "the store cannot be believed: put it aside and enrol a new registry identity; nodes register again by themselves")
	case errors.Is(err, database.ErrUnavailable):
		return cli.Hint(cli.Fail(cli.ExitUnavailable, "%w", err), "start the database, or check the URL in --store; of an SQLite file look at disk, quota and limits")
	case errors.Is(err, database.ErrNewer):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "use the newer version of netget-registry that has opened this store")
	case errors.Is(err, database.ErrFull):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "make room on the disk of the store, then start the registry again")
	case errors.Is(err, database.ErrReadOnly):
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "make the store's file, folder and disk writable for this user, or name the primary server; then start the registry again")
	case errors.Is(err, database.ErrMoved):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "put the very same file back, or put what is there aside and enrol a new registry identity")
	case errors.Is(err, catalog.ErrForeignLog):
		return cli.Hint(cli.Fail(cli.ExitUntrusted, "%w", err), "a registry identity is one log for ever: give this one a store of its own with --store")
	}
	if unasked, ok := errors.AsType[*catalog.UnaskedError](err); ok {
		return cli.Hint(cli.Fail(cli.ExitUnavailable, "%w", err), "%s", unasked.Hint())
	}
	if p, ok := errors.AsType[*catalog.PanicError](err); ok {
		return cli.Hint(cli.Fail(cli.ExitFailure, "%w", err), "%s", p.Hint())
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
