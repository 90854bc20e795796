package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// A Process is all that a program gets from whoever starts it. Tests make
// their own.
type Process struct {
	Args   []string // without the program's name
	Env    []string // "KEY=value"
	UID    int      // effective user, 0 is root
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Now    func() time.Time // the clock of what the program serves

	// Prompt asks the person at the terminal for a secret and returns it
	// without line end. It is nil when there is no terminal.
	Prompt func(ctx context.Context, question string) ([]byte, error)

	given *given // nil: the process was not hardened
}

// System returns the process that this program really is, after it has made it
// one that may hold secrets: no core files, and nothing for others in the files
// that it makes. It asks for secrets only if standard input is a terminal.
func System() (Process, error) {
	given, err := harden()
	if err != nil {
		return Process{}, err
	}
	p := Process{
		given: given,
		Args:  os.Args[1:], Env: os.Environ(), UID: os.Geteuid(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Now: time.Now,
	}
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		p.Prompt = func(ctx context.Context, question string) ([]byte, error) {
			return prompt(ctx, fd, os.Stderr, question)
		}
	}
	return p, nil
}

// Getenv returns the value of an environment variable, "" if it is not set.
func (p Process) Getenv(name string) string {
	for _, variable := range slices.Backward(p.Env) { // the last one counts, as in os/exec
		if key, value, ok := strings.Cut(variable, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// prompt reads a line from the terminal without showing it. A blocked read of
// a terminal cannot be ended, so when ctx ends first the reader is left behind
// to end with the process, and the terminal is put right again.
func prompt(ctx context.Context, fd int, w io.Writer, question string) ([]byte, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("reading the terminal's state: %w", err)
	}
	if _, err := fmt.Fprint(w, question+": "); err != nil {
		return nil, fmt.Errorf("asking for the %s: %w", question, err)
	}
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		_, err := fmt.Fprintln(w)
		return l.text, errors.Join(l.err, err)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}

const maxSecretBytes = 4 << 10

// ReadToken returns the join token that an argument names: the argument
// itself, standard input for "-", or the content of FILE for "@FILE". White
// space around it is dropped. An empty token, or one over 4 KiB, is a usage
// error; whether it is a token is for the parser to say.
//
// Its bytes are wiped, but a string cannot be: the result stays in memory until
// that is used for something else. A join token that was spent is of no use to
// anybody.
func (p Process) ReadToken(arg string) (string, error) {
	text, err := p.tokenText(arg)
	defer clear(text)
	if err != nil {
		return "", err
	}
	token := bytes.TrimSpace(text)
	if len(token) == 0 {
		return "", Hint(Usage("the join token is empty"), "make one with 'netget-ca token', and pass it as it is, as @FILE or as - for standard input")
	}
	if len(token) > maxSecretBytes {
		return "", Hint(Usage("the join token is longer than %d bytes", maxSecretBytes), "pass only what 'netget-ca token' printed")
	}
	return string(token), nil
}

func (p Process) tokenText(arg string) ([]byte, error) {
	if arg == "-" {
		token, err := readBounded(p.Stdin)
		if err != nil {
			return nil, fmt.Errorf("reading the join token from standard input: %w", err)
		}
		return token, nil
	}
	if name, ok := strings.CutPrefix(arg, "@"); ok {
		token, err := readSecretFile(name)
		if err != nil {
			return nil, Hint(Usage("reading the join token: %w", err), "check the file name after @")
		}
		return token, nil
	}
	return []byte(arg), nil
}

func readSecretFile(name string) (secret []byte, err error) {
	file, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return readBounded(file)
}

// readBounded reads a secret with room for white space around it; what is
// longer stays too long for whoever judges it. It reads into one piece of
// memory, so that whoever wipes the result leaves nothing behind.
func readBounded(r io.Reader) ([]byte, error) {
	secret := make([]byte, 2*maxSecretBytes)
	n, err := io.ReadFull(r, secret)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return secret[:n], err
}
