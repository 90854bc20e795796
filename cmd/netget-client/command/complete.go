package command

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// completionTimeout is how long somebody who pressed the tabulator waits.
const completionTimeout = 2 * time.Second

// knownAddresses lists the registries of the identity.
func (c *commands) knownAddresses(context.Context) ([]string, error) {
	i, err := c.load()
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, r := range i.Document.Registries {
		addresses = append(addresses, r.Addresses...)
	}
	return addresses, nil
}

// completeService completes the first argument to the services of the network.
func (c *commands) completeService(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.Complete(c.serviceNames)(cmd, args, word)
}

func (c *commands) serviceNames(ctx context.Context) ([]string, error) {
	node, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = node.Close() }()
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	list, err := node.Services(ctx)
	if err != nil {
		return nil, err
	}
	return newServices(list, true).Names(), nil
}

// completeNode completes a service and then one of its nodes.
func (c *commands) completeNode(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return c.completeService(cmd, args, word)
	}
	return c.Complete(func(ctx context.Context) ([]string, error) { return c.nodeNames(ctx, args[0]) })(cmd, args, word)
}

func (c *commands) nodeNames(ctx context.Context, service string) ([]string, error) {
	node, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = node.Close() }()
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	found, err := node.Discover(ctx, service)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range found.Nodes {
		names = append(names, n.Node)
	}
	return slices.Compact(names), nil
}

// completeOwnService completes to the service of the identity.
func (c *commands) completeOwnService(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // the command to run
	}
	return c.Complete(func(context.Context) ([]string, error) {
		i, err := c.load()
		if err != nil {
			return nil, err
		}
		return []string{i.ID().Service()}, nil
	})(cmd, args, word)
}
