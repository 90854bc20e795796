package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/neurons-me/netget/identity"
)

// PassphraseFlag is the flag that names a file with the authority's passphrase.
const PassphraseFlag = "passphrase-file"

const passphraseHint = "use --passphrase-file FILE or NETGET_PASSPHRASE, or run the command on a terminal"

// Passphrase returns the authority's passphrase: from the file that was given
// on the command line, from NETGET_PASSPHRASE, from a file that the
// environment or the configuration names, or asked for at the terminal, twice
// when it is a new one. One line end is dropped. Without any of these, or when
// it is empty, it returns a usage error at once and never waits. The caller wipes
// the result with clear; a copy stays in the environment if it came from there.
func (p *Program) Passphrase(ctx context.Context, file string, isNew bool) ([]byte, error) {
	if file != "" && p.typed[PassphraseFlag] {
		return passphraseFile(file)
	}
	if value := p.Process.Getenv("NETGET_PASSPHRASE"); value != "" {
		return []byte(value), nil
	}
	if file != "" {
		return passphraseFile(file)
	}
	if p.Process.Prompt == nil {
		return nil, Hint(Usage("no passphrase for the authority's keys, and no terminal to ask at"), passphraseHint)
	}
	return p.askPassphrase(ctx, isNew)
}

func passphraseFile(name string) ([]byte, error) {
	if err := checkTrusted(name); errors.Is(err, identity.ErrFileMode) {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	secret, err := readSecretFile(name)
	if err != nil {
		return nil, Hint(Usage("reading the passphrase: %w", err), passphraseHint)
	}
	secret = bytes.TrimSuffix(bytes.TrimSuffix(secret, []byte("\n")), []byte("\r"))
	if len(secret) == 0 {
		return nil, Hint(Usage("the passphrase in %s is empty", name), passphraseHint)
	}
	if len(secret) > maxSecretBytes {
		clear(secret)
		return nil, Hint(Usage("the passphrase in %s is longer than %d bytes", name, maxSecretBytes), passphraseHint)
	}
	return secret, nil
}

func (p *Program) askPassphrase(ctx context.Context, isNew bool) ([]byte, error) {
	secret, err := p.Process.Prompt(ctx, "passphrase")
	if err != nil {
		return nil, err
	}
	if len(secret) == 0 {
		return nil, Hint(Usage("the passphrase is empty"), passphraseHint)
	}
	if !isNew {
		return secret, nil
	}
	again, err := p.Process.Prompt(ctx, "the same passphrase again")
	defer clear(again)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(secret, again) {
		return nil, Hint(Usage("the two passphrases differ"), "run the command again")
	}
	return secret, nil
}
