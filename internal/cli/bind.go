package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/neurons-me/netget/identity"
)

// secretAnnotation marks flags whose value may come from NETGET_<FLAG>_FILE.
const secretAnnotation = "netget/secret"

// Secret marks a flag as a secret: the environment variable NETGET_<FLAG>_FILE
// may name a file with its value. It panics if the flag is not defined.
func Secret(flags *pflag.FlagSet, name string) {
	if err := flags.SetAnnotation(name, secretAnnotation, []string{"true"}); err != nil {
		panic(err)
	}
}

// EnvName returns the environment variable of a flag: NETGET_OPS_ADDRESS for
// ops-address.
func EnvName(flag string) string {
	return "NETGET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// bind gives every flag that is not on the command line the value of the
// environment, a secret's file or the configuration file, in this order. Empty
// variables count as not set.
func (p *Program) bind(cmd *cobra.Command) error {
	p.typed = map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { p.typed[f.Name] = f.Changed })
	if err := p.bindEnv(cmd.Flags()); err != nil {
		return err
	}
	if ignoresConfig(cmd) {
		return nil
	}
	settings, err := p.readConfig(cmd)
	if err != nil {
		return err
	}
	return settings.apply(cmd.Flags())
}

func (p *Program) bindEnv(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || isCobras(f.Name) {
			return
		}
		errs = append(errs, p.bindFlag(f))
	})
	return errors.Join(errs...)
}

func (p *Program) bindFlag(f *pflag.Flag) error {
	name := EnvName(f.Name)
	if value := p.Process.Getenv(name); value != "" {
		return setFlag(f, envItems(f, value), name)
	}
	if f.Annotations[secretAnnotation] == nil {
		return nil
	}
	name += "_FILE"
	file := p.Process.Getenv(name)
	if file == "" {
		return nil
	}
	if err := checkTrusted(file); errors.Is(err, identity.ErrFileMode) {
		return fmt.Errorf("%s: %w", name, err)
	}
	secret, err := readSecretFile(file)
	defer clear(secret)
	if err == nil && len(secret) > maxSecretBytes {
		err = fmt.Errorf("%s is longer than %d bytes", file, maxSecretBytes)
	}
	if err != nil {
		return Hint(Usage("%s: %w", name, err), "check the file that %s names", name)
	}
	value := string(bytes.TrimRight(secret, "\r\n"))
	return setFlag(f, envItems(f, value), name)
}

// Typed reports whether a flag was given on the command line, where every user
// of the machine can read it, and not by a file or the environment.
func (p *Program) Typed(flag string) bool { return p.typed[flag] }

// envItems splits the value of a list: at line ends if it has any, else at
// commas.
func envItems(f *pflag.Flag, value string) []string {
	if !isList(f) {
		return []string{value}
	}
	separator := ","
	if strings.Contains(value, "\n") {
		separator = "\n"
	}
	return strings.Split(value, separator)
}

// setFlag gives a flag its value: all items if it is a list, else the only one.
func setFlag(f *pflag.Flag, items []string, source string) error {
	var err error
	if list, ok := f.Value.(pflag.SliceValue); ok {
		err = list.Replace(items)
	} else {
		err = f.Value.Set(items[0])
	}
	if err != nil {
		return Hint(Usage("%s: %w", source, err), "correct it, or give --%s", f.Name)
	}
	f.Changed = true
	return nil
}

// isCobras reports whether cobra made the flag: such flags are no options.
func isCobras(flag string) bool { return flag == "help" || flag == "version" }

// ignoresConfig reports whether cmd must work beside a broken configuration.
func ignoresConfig(cmd *cobra.Command) bool {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		switch cmd.Name() {
		case "completion", "help", "version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return true
		}
	}
	return false
}
