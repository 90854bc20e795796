// Netget-registry is netget's directory: nodes register with it, clients ask
// it and need not trust it. docs/cli.md describes its commands.
package main

import (
	"github.com/neurons-me/netget/cmd/internal/program"
	"github.com/neurons-me/netget/cmd/netget-registry/command"
)

func main() { program.Main(command.New) }
