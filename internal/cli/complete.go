package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// Complete returns a completion function for arguments or flag values that
// list gives, for example the networks in a store. It runs after the flags got
// their values. A list that fails completes nothing.
func (p *Program) Complete(list func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if err := p.bind(cmd); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		names, err := list(cmd.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
