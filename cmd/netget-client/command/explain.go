package command

import (
	"errors"

	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/cli"
)

// explain gives an error of the SDK the exit code and the hint for the person
// at the terminal.
func explain(err error) error {
	if _, ok := errors.AsType[*cli.Error](err); ok || err == nil {
		return err
	}
	if _, ok := errors.AsType[*netget.OptionsError](err); ok {
		return cli.Usage("%w", err)
	}
	if damaged, ok := errors.AsType[*discovery.MarksError](err); ok {
		return cli.Hint(err, "bring %s back from a backup, or move it away: the next answers are a first contact then", damaged.Path)
	}
	switch {
	case errors.Is(err, netget.ErrNotRegistered):
		return cli.Hint(cli.Fail(cli.ExitNotFound, "%w", err), "nothing of this identity is registered: there is nothing to do")
	case errors.Is(err, netget.ErrRemoved):
		return cli.Hint(cli.Fail(cli.ExitDenied, "an operator has removed this node: %w", err), "ask the operator why; a new start of 'netget-client register' registers it again")
	case errors.Is(err, netget.ErrExpired):
		return cli.Hint(cli.Fail(cli.ExitDenied, "%w", err), "the authority did not renew it: start the authority, or enrol anew with 'netget-client enroll TOKEN --force'")
	case errors.Is(err, netget.ErrTooManyEvents):
		return cli.Hint(err, "name a service or a node, give a later --since, or use --follow, which keeps none in memory")
	case errors.Is(err, netget.ErrNotFound):
		return cli.Fail(cli.ExitNotFound, "%w", err)
	case errors.Is(err, discovery.ErrNoRegistry):
		return cli.Hint(explainNoRegistry(err), "start a registry that is enrolled in this network, or name one with --registry https://HOST:PORT")
	}
	return err
}

// explainNoRegistry keeps what kept the authority from naming one.
func explainNoRegistry(err error) error {
	if cli.Exit(err) != cli.ExitFailure {
		return err
	}
	return cli.Fail(cli.ExitUnavailable, "%w", err)
}

// serviceName reads the name of a service from the command line, in any case.
func serviceName(arg string) (string, error) {
	service := identity.FoldName(arg)
	return service, badName(identity.CheckService(service))
}

// nodeName reads a service and a node label from the command line.
func nodeName(service, node string) (s, n string, err error) {
	td, err := identity.NewTrustDomain("any", identity.DefaultDomain)
	if err != nil {
		return "", "", err
	}
	s, n = identity.FoldName(service), identity.FoldName(node)
	_, err = identity.NewNodeID(td, s, n)
	return s, n, badName(err)
}

func badName(err error) error {
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		return cli.Hint(cli.Usage("%s", refusal.Reason), "names are of letters, digits and dashes; 'netget-client services' lists those in use")
	}
	return err
}
