// Netget-client enrols nodes, registers and discovers them, and verifies what
// registries say. docs/cli.md describes its commands.
package main

import (
	"github.com/neurons-me/netget/cmd/internal/program"
	"github.com/neurons-me/netget/cmd/netget-client/command"
)

func main() { program.Main(command.New) }
