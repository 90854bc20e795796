// Netget-ca is netget's certificate authority: it makes networks, mints join
// tokens, and enrols and renews nodes. docs/cli.md describes its commands.
package main

import (
	"github.com/neurons-me/netget/cmd/internal/program"
	"github.com/neurons-me/netget/cmd/netget-ca/command"
)

func main() { program.Main(command.New) }
