package command

import (
	"github.com/neurons-me/netget"
	"github.com/neurons-me/netget/internal/cli"
)

// NodeTable shows nodes to people.
func NodeTable(nodes []netget.ServiceNode, stale bool) cli.Table { return nodeTable(nodes, stale) }
