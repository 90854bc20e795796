package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/neurons-me/netget/identity"
)

const maxConfigBytes = 1 << 20

// settings are the members of a configuration file.
type settings struct {
	file   string
	values map[string]yaml.Node // by flag name
}

// readConfig reads the file of --config, or config.yaml in the program's
// folder if that exists. Every key must be a flag of some command of the
// program.
func (p *Program) readConfig(cmd *cobra.Command) (settings, error) {
	name, err := p.configName()
	if err != nil {
		return settings{}, err
	}
	text, err := readConfigFile(name)
	if errors.Is(err, fs.ErrNotExist) && p.configFile == "" {
		return settings{}, nil
	}
	if errors.Is(err, identity.ErrFileMode) {
		return settings{}, fmt.Errorf("reading the configuration: %w", err)
	}
	if err != nil {
		return settings{}, Hint(Usage("reading the configuration: %w", err), "check --config")
	}
	s := settings{file: name}
	if err := s.parse(text); err != nil {
		return settings{}, Hint(Usage("%s: %w", name, err), "the file is one YAML mapping whose keys are flags without dashes in front")
	}
	return s, s.checkKeys(cmd.Root(), p.configFile != "")
}

// readConfigFile reads at most one byte more than the file may have.
func readConfigFile(name string) (text []byte, err error) {
	if err := checkTrusted(name); err != nil {
		return nil, err
	}
	file, err := os.Open(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
}

// checkTrusted refuses a file that decides what the program does, and that others
// than the user and root may change. A device such as /dev/null or a terminal is
// opened to others by the system.
func checkTrusted(name string) error {
	st, err := os.Stat(name)
	if err != nil || st.Mode()&fs.ModeCharDevice != 0 {
		return err
	}
	return identity.CheckTrustedFile(name)
}

func (p *Program) configName() (string, error) {
	if p.configFile != "" {
		return p.configFile, nil
	}
	home, err := p.Home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home.Folder(p.config.Folder), "config.yaml"), nil
}

func (s *settings) parse(text []byte) error {
	if len(text) > maxConfigBytes {
		return fmt.Errorf("longer than %d bytes", maxConfigBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var first, more yaml.Node
	if err := d.Decode(&first); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	if len(first.Content) == 0 || first.Content[0].Tag == "!!null" {
		return nil // nothing but comments
	}
	return s.take(first.Content[0])
}

// take reads the members of the file's one mapping. The YAML package compares
// each key of a mapping with every other; there is no need for its patience.
func (s *settings) take(top *yaml.Node) error {
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a mapping", top.Line)
	}
	s.values = make(map[string]yaml.Node, len(top.Content)/2)
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key is a word", key.Line)
		}
		if _, dup := s.values[key.Value]; dup {
			return fmt.Errorf("line %d: the key %q is already defined", key.Line, key.Value)
		}
		s.values[key.Value] = *value
	}
	return nil
}

// checkKeys refuses unknown keys. The default file lies in the home, so it
// cannot say where that is.
func (s *settings) checkKeys(root *cobra.Command, explicit bool) error {
	known := options(root)
	if !explicit {
		known = slices.DeleteFunc(known, func(name string) bool { return name == "home" })
	}
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if value := s.values[key]; !slices.Contains(known, key) {
			return Hint(Usage("%s:%d: unknown key %q", s.file, value.Line, key), "known keys: %s", strings.Join(known, ", "))
		}
	}
	return nil
}

// options returns the names of all flags that a program's commands have.
func options(root *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !isCobras(f.Name) && f.Name != "config" {
			names = append(names, f.Name)
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if ignoresConfig(cmd) {
			return
		}
		cmd.LocalFlags().VisitAll(add)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return slices.Compact(names)
}

// apply sets the flags that have no value yet.
func (s *settings) apply(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := s.values[f.Name]
		if !ok || f.Changed {
			return
		}
		source := fmt.Sprintf("%s:%d: %s", s.file, value.Line, f.Name)
		items, err := nodeItems(&value)
		if err == nil && len(items) != 1 && !isList(f) {
			err = errors.New("takes one value")
		}
		if err != nil {
			errs = append(errs, Hint(Usage("%s: %w", source, err), "correct the file"))
			return
		}
		errs = append(errs, setFlag(f, items, source))
	})
	return errors.Join(errs...)
}

func isList(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}

// nodeItems returns the texts of a scalar, a list of scalars, or a mapping as
// key=value in the file's order.
func nodeItems(n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return []string{n.Value}, nil
	}
	if n.Kind != yaml.SequenceNode && n.Kind != yaml.MappingNode {
		return nil, errors.New("has no value")
	}
	items := []string{}
	for i, c := range n.Content {
		switch {
		case c.Kind != yaml.ScalarNode:
			return nil, errors.New("nested too deep")
		case n.Kind == yaml.MappingNode && i%2 == 1:
			items[len(items)-1] += "=" + c.Value
		default:
			items = append(items, c.Value)
		}
	}
	return items, nil
}
