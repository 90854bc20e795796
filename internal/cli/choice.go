package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A choice is a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

// String returns the word chosen.
func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// Set chooses a word.
func (c choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
	}
	*c.value = word
	return nil
}

// Type lists the words, for --help.
func (c choice) Type() string { return strings.Join(c.words, "|") }

// Choice defines a flag that takes one of the given words and is completed to
// them; the first is its default.
func Choice(cmd *cobra.Command, flags *pflag.FlagSet, value *string, name, short, usage string, words ...string) {
	*value = words[0]
	flags.VarP(choice{value, words}, name, short, usage)
	mustComplete(cmd, name, words)
}

// mustComplete registers completions for a flag that was defined just before:
// the only error would be that it was not.
func mustComplete(cmd *cobra.Command, name string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}
